"""Contacts as users of their own, as OneRoster has them: one for each person, with roles at the schools of the students."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.exports.arrays import (
    Array,
    Mask,
    choose,
    column,
    constant,
    each_distinct,
    first_rows,
    is_in,
    keys_of,
    lookup,
    mask,
    nulls,
    positions,
    rank_in_group,
    with_columns,
)
from roster_etl.exports.export_tables import ExportTables
from roster_etl.exports.rules.oneroster_people import add_rows
from roster_etl.exports.rules.oneroster_sessions import ID_PATTERN
from roster_etl.exports.rules.people import IdClash

_PARENTS, _GUARDIANS = ("mother", "father", "parent", "stepparent", "stepmother", "stepfather"), ("guardian", "foster")
_RELATIVES = ("grand", "aunt", "uncle", "sibling", "brother", "sister", "cousin", "relative")


def contacts_as_users(work: ExportTables) -> None:
    """Make users of contacts: one for those with an id of the source's own, one a student for the others (option ``contacts``)."""
    if work.options.get("contacts") == "leave_out":
        work.losses.add("table_left_out", "left_out", work.table("contacts").num_rows, table="contacts")
        work.tables["contacts"] = work.table("contacts").slice(0, 0)
        return
    contacts = _ordered(work)
    size = contacts.num_rows
    if not size:
        return
    linked = is_in(keys_of(contacts, ("user_kind", "contact_user_id")), work.user_keys("users"))
    derived = mask(pc.match_substring(pc.fill_null(column(contacts, "derived"), ""), '"contact_id"'))
    own = column(contacts, "contact_id")
    rest = pc.replace_substring_regex(own, pattern="^[^:]*:", replacement="")
    made = pc.binary_join_element_wise("contact", column(contacts, "user_id"), rest, "-")
    said = choose(linked, column(contacts, "contact_user_id"), choose(derived, made, own))
    work.tables["contacts"] = contacts
    allowed = mask(pc.match_substring_regex(said, pattern=ID_PATTERN))
    work.keep("contacts", allowed, "id_not_allowed")
    kept = pa.array(allowed)
    said, linked = said.filter(kept), linked[allowed]
    work.change("contacts", "contact_id", said, "id_not_allowed")
    _one_person_each(work, linked)
    work.settle()
    _add_people(work, linked)
    work.settle()
    _say_contacts(work, said)


def _ordered(work: ExportTables) -> pa.Table:
    rows = work.table("contacts")
    keys = [("user_id", "ascending"), ("position", "ascending"), ("contact_id", "ascending")]
    found = work.take(rows, pc.sort_indices(rows, sort_keys=keys))
    return found if "derived" in found.column_names else with_columns(found, derived=nulls(found.num_rows))


def _one_person_each(work: ExportTables, linked: Mask) -> None:
    """Say one person's name, e-mail and phone the same wherever an id occurs: as for the first student."""
    ids = work.col("contacts", "contact_id")
    places = positions(ids, ids)
    for name in ("name", "email", "phone", "relationship"):
        values = work.col("contacts", name)
        first = values.take(places)
        work.change("contacts", name, choose(linked, values, first), "several_values")


def _add_people(work: ExportTables, linked: Mask) -> None:
    """Add a user, with roles at the schools of the students, for each contact who is none."""
    names = ["user_kind", "user_id", "contact_id", "name", "email", "phone", "relationship"]
    fresh = work.table("contacts").select(names).filter(pa.array(~linked))
    people = first_rows(fresh, ("contact_id",))
    ids = column(people, "contact_id")
    name = column(people, "name")
    given, family = _split_name(name, ids)
    made = {
        "user_kind": constant("user", len(ids)),
        "user_id": ids,
        "first_name": given,
        "last_name": family,
        "full_name": pc.binary_join_element_wise(given, family, " "),
        "email": column(people, "email"),
        "phone": column(people, "phone"),
        "username": pc.coalesce(column(people, "email"), ids),
        "status": constant("active", len(ids)),
    }
    clashes = is_in(ids, work.col("users", "user_id"))
    if clashes.any():
        raise IdClash(count=int(clashes.sum()), format="OneRoster")
    add_rows(work, "users", made, len(ids), "synthetic")
    _add_roles_at_schools(work, fresh)


def _add_roles_at_schools(work: ExportTables, contacts: pa.Table) -> None:
    """Add a role for each contact at each school of the students, one for a contact and school."""
    owners = pa.table({"key": work.user_keys("user_roles"), "school": work.col("user_roles", "organization_id")})
    pairs = pa.table(
        {
            "contact": column(contacts, "contact_id"),
            "key": keys_of(contacts, ("user_kind", "user_id")),
            "word": relationship_words(column(contacts, "relationship")),
        }
    )
    joined = pairs.join(first_rows(owners, ("key", "school")), "key", join_type="inner", use_threads=False)
    joined = joined.filter(pc.is_valid(joined.column("school"))).combine_chunks()
    joined = joined.take(
        pc.sort_indices(joined, sort_keys=[("contact", "ascending"), ("school", "ascending"), ("word", "ascending")])
    )
    joined = first_rows(joined, ("contact", "school"))
    roles = {
        "user_kind": constant("user", joined.num_rows),
        "user_id": column(joined, "contact"),
        "organization_id": column(joined, "school"),
        "role": column(joined, "word"),
    }
    add_rows(work, "user_roles", roles, joined.num_rows, "synthetic")


def _split_name(name: Array, ids: Array) -> tuple[Array, Array]:
    """Return given and family name: a whole name split at its last blank, the id where there is nothing to split."""
    several = mask(pc.match_substring_regex(name, pattern=r"\S\s+\S"))
    first = pc.replace_substring_regex(name, pattern=r"^(.*\S)\s+\S+\s*$", replacement=r"\1")
    last = pc.replace_substring_regex(name, pattern=r"^.*\s(\S+)\s*$", replacement=r"\1")
    return choose(several, first, ids), pc.coalesce(choose(several, last, name), ids)


def relationship_words(values: Array) -> Array:
    """Return the role of a contact by the relationship: parent, guardian or relative; others and none: guardian."""

    def word(text: str) -> str:
        found = text.casefold()
        if any(part in found for part in _RELATIVES):
            return "relative"
        if any(part in found for part in _GUARDIANS):
            return "guardian"
        return "parent" if any(part in found for part in _PARENTS) else "guardian"

    return pc.fill_null(each_distinct(values, word), "guardian")


def _say_contacts(work: ExportTables, ids: Array) -> None:
    """Say of contacts what comes back: the name in two parts, the role as relationship, the place in the list."""
    users = work.col("users", "user_id")
    roles = work.table("user_roles")
    word = lookup(ids, column(roles, "user_id"), column(roles, "role"))
    work.change("contacts", "relationship", word, "coarser_code")
    whole = pc.binary_join_element_wise(work.col("users", "first_name"), work.col("users", "last_name"), " ")
    at = positions(ids, users)
    work.change("contacts", "name", whole.take(at), "name_split")
    reached = {"email": work.col("users", "email"), "phone": pc.coalesce(work.col("users", "phone"), work.col("users", "sms"))}
    for name, values in reached.items():  # the reader takes the mobile number where there is no other
        work.change("contacts", name, values.take(at), "several_values")
    places = pa.array(rank_in_group(work.user_keys("contacts")), pa.int64())
    work.change("contacts", "position", places, "coarser_code")
    work.change("contacts", "contact_user_id", ids, "synthetic")
