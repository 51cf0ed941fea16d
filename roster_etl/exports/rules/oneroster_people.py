"""Rules of OneRoster about people: names, user names, roles, demographics. Contacts as users are in ``oneroster_contacts``."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.exports.arrays import (
    Array,
    choose,
    column,
    compound,
    constant,
    each_distinct,
    equals,
    first_marks,
    first_rows,
    is_in,
    keys_of,
    lookup,
    mask,
    nulls,
    present,
    with_columns,
)
from roster_etl.exports.export_tables import ExportTables
from roster_etl.exports.rows import qualified
from roster_etl.exports.rules.oneroster_classes import comma_list
from roster_etl.exports.rules.oneroster_sessions import ID_PATTERN, drop_cells, is_version, made_ids
from roster_etl.exports.rules.people import enrolled_as

ROLE_ORDER_11 = ("student", "teacher", "admin", "aide", "proctor", "guardian", "parent", "relative")
_ADMINS = (
    "admin",
    "tech_lead",
    "principal",
    "siteAdministrator",
    "districtAdministrator",
    "systemAdministrator",
    "administrator",
)
ROLES_12 = (
    "aide", "counselor", "districtAdministrator", "guardian", "parent", "principal", "proctor", "relative", "siteAdministrator", "student",
    "systemAdministrator", "teacher",
)  # fmt: skip
_RANKED = tuple(dict.fromkeys(("student", "teacher", *_ADMINS, *ROLE_ORDER_11, *ROLES_12)))  # the highest first
RACE_FLAGS = {"I": "american_indian", "A": "asian", "B": "black", "P": "pacific", "W": "white"}


def roles_from_enrollments(work: ExportTables) -> None:
    """Give people without a role that of their enrollments, at their schools; leave out those who have neither."""
    without = ~is_in(work.user_keys("users"), work.user_keys("user_roles"))
    keys = work.user_keys("users").filter(pa.array(without))
    enrolled = work.table("enrollments").filter(pa.array(is_in(work.user_keys("enrollments"), keys)))
    found = first_rows(enrolled, ("user_kind", "user_id", "organization_id", "role"))
    found = found.filter(pa.array(present(column(found, "organization_id"))))
    word = {"administrator": "admin"}
    made = {
        "user_kind": column(found, "user_kind"),
        "user_id": column(found, "user_id"),
        "organization_id": column(found, "organization_id"),
        "role": each_distinct(column(found, "role"), lambda role: word.get(role, role)),
    }
    add_rows(work, "user_roles", made, found.num_rows, "missing_required")
    work.keep("users", is_in(work.user_keys("users"), work.user_keys("user_roles")), "missing_required")
    work.cascade()


def add_rows(work: ExportTables, table: str, made: dict[str, Array], size: int, reason: str) -> None:
    """Add records that the format requires, and count them as made up."""
    if not size:
        return
    work.add_rows(table, made, size)
    work.losses.add("value_made_up", reason, size, table=table)  # type: ignore[arg-type]


def map_roles(work: ExportTables) -> None:
    """Say the roles of people in the words of the version."""
    roles = work.col("user_roles", "role")
    teaching = work.user_keys("users").filter(pa.array(enrolled_as(work, "teacher")))
    as_teacher = equals(roles, "staff") & is_in(work.user_keys("user_roles"), teaching)
    roles = choose(as_teacher, constant("teacher", len(roles)), roles)
    if is_version(work, "1.1"):
        work.change("user_roles", "role", each_distinct(roles, _word_11), "coarser_code")
        _one_role_each(work)
        return
    kinds = lookup(
        work.col("user_roles", "organization_id"), work.col("organizations", "organization_id"), work.col("organizations", "type")
    )
    at_district = equals(kinds, "district", "department")
    admin = choose(at_district, constant("districtAdministrator", len(roles)), constant("siteAdministrator", len(roles)))
    said = choose(equals(roles, "admin"), admin, each_distinct(roles, _word_12))
    work.change("user_roles", "role", said, "coarser_code")
    work.keep_first("user_roles", ("user_kind", "user_id", "organization_id", "role"))
    _primary_roles(work)


def _word_11(role: str) -> str:
    if role in _ADMINS:
        return "admin"
    return role if role in ROLE_ORDER_11 else "aide"


def _word_12(role: str) -> str:
    if role in ROLES_12 or role.startswith("ext:"):
        return role
    return {"staff": "aide", "tech_lead": "siteAdministrator", "administrator": "siteAdministrator"}.get(role, f"ext:{role}")


def _rank(work: ExportTables) -> np.ndarray:
    order = {word: place for place, word in enumerate(_RANKED)}
    return np.asarray(each_distinct(work.col("user_roles", "role"), lambda word: order.get(word, 99), pa.int64()))


def _one_role_each(work: ExportTables) -> None:
    """Say one role of each person, the highest, at every organization (1.1 has one column)."""
    keys = work.user_keys("user_roles")
    best = pa.table({"key": keys, "rank": pa.array(_rank(work)), "role": work.col("user_roles", "role")})
    best = first_rows(best.take(pc.sort_indices(best, sort_keys=[("rank", "ascending")])), ("key",))
    said = lookup(keys, column(best, "key"), column(best, "role"))
    work.change("user_roles", "role", said, "coarser_code")
    work.keep_first("user_roles", ("user_kind", "user_id", "organization_id"))


def _primary_roles(work: ExportTables) -> None:
    """Say one role of each person at each organization as the primary one: the one that is, else the highest."""
    rows = work.table("user_roles")
    keys = keys_of(rows, ("user_kind", "user_id", "organization_id"))
    primary = mask(pc.fill_null(work.col("user_roles", "is_primary"), False))
    by = pa.table({"p": pa.array(~primary), "rank": pa.array(_rank(work)), "role": column(rows, "role")})
    ordered = pc.sort_indices(by, sort_keys=[("p", "ascending"), ("rank", "ascending"), ("role", "ascending")])
    first = np.zeros(rows.num_rows, dtype=bool)
    at = ordered.to_numpy()
    first[at] = first_marks(keys.take(ordered))
    work.change("user_roles", "is_primary", pa.array(first), "coarser_code")
    parts = [column(work.table("user_roles"), name) for name in ("user_id", "organization_id", "role")]
    work.change("user_roles", "role_id", made_ids(work.col("user_roles", "role_id"), *parts), "id_not_allowed")


def required_names(work: ExportTables) -> None:
    """Give people a user name, a given and a family name, as the file requires them."""
    ids = work.col("users", "user_id")
    full = work.col("users", "full_name")
    for name, pattern in (("first_name", r"^(.*\S)\s+\S+$"), ("last_name", r"^(?:.*\s)?(\S+)$")):
        needed = choose(present(work.col("users", name)), nulls(len(full)), full)
        part = pc.replace_substring_regex(needed, pattern=pattern, replacement=r"\1")
        split = choose(mask(pc.match_substring_regex(needed, pattern=pattern)), part, nulls(len(full)))
        work.fill("users", name, split, reason="name_split")
        work.fill("users", name, ids)
    work.fill("users", "username", work.col("users", "email"), ids)
    work.fill("users", "status", constant("active", len(ids)))
    whole = pc.binary_join_element_wise(work.col("users", "first_name"), work.col("users", "last_name"), " ")
    if work.col("users", "full_name").null_count < len(ids):
        differs = present(full) & ~mask(pc.equal(full, whole))
        work.losses.add("column_left_out", "no_home", int(differs.sum()), table="users", column="full_name")
    work.losses.add("value_made_up", "missing_required", int((~present(full)).sum()), table="users", column="full_name")


def primary_organizations(work: ExportTables) -> None:
    """Say the primary organization of people (1.2), where they have a role there."""
    if is_version(work, "1.1"):
        return
    place = work.col("users", "primary_organization_id")
    pairs = keys_of(work.table("user_roles"), ("user_id", "organization_id"))
    known = is_in(compound(work.col("users", "user_id"), place), pairs)
    drop_cells(work, "users", "primary_organization_id", present(place) & ~known)


def demographics(work: ExportTables) -> None:
    """Keep the profiles of students, and say sex and race in the words of the file."""
    roles = work.table("user_roles")
    owners = work.user_keys("user_roles").filter(pa.array(equals(column(roles, "role"), "student")))
    work.keep("student_profiles", is_in(work.user_keys("student_profiles"), owners), "no_home")
    gender = work.col("student_profiles", "gender")
    words = {"M": "male", "F": "female", **({"X": "other"} if is_version(work, "1.2") else {})}
    work.fill("student_profiles", "sex", each_distinct(gender, words.get))
    unsaid = present(gender) & ~present(work.col("student_profiles", "sex"))
    work.losses.add("value_changed", "not_in_code_list", int(unsaid.sum()), table="student_profiles", column="gender")
    race = work.col("student_profiles", "race")
    single = each_distinct(race, lambda code: json.dumps([code]) if code in RACE_FLAGS else None)
    work.fill("student_profiles", "races", single)
    listed = each_distinct(work.col("student_profiles", "grade"), lambda grade: json.dumps([grade]))
    work.fill("student_profiles", "grades", listed)


def _lists_race(code: str, cell: str) -> bool:
    return code in json.loads(cell)


def demographic_rows(work: ExportTables) -> pa.Table:
    """Return one row a student with anything to say, races as flags."""
    rows = work.table("student_profiles")
    names = ("user_id", "birth_date", "sex", "hispanic", "birth_country", "birth_state", "birth_city", "residence_status")
    found = pa.table({f"student_profiles.{name}": work.col("student_profiles", name) for name in names})
    races, race = work.col("student_profiles", "races"), work.col("student_profiles", "race")
    for code, name in RACE_FLAGS.items():
        found = with_columns(found, **{name: each_distinct(races, partial(_lists_race, code), pa.bool_())})
    several = each_distinct(races, lambda _: False, pa.bool_())
    multiple = equals(race, "M")
    found = with_columns(found, two_or_more=choose(multiple, pa.repeat(pa.scalar(True), len(multiple)), several))
    some = np.logical_or.reduce(
        [present(column(found, name)) for name in found.column_names if name != "student_profiles.user_id"]
    )
    del rows
    return found.filter(pa.array(some))


def role_rows(work: ExportTables) -> pa.Table:
    """Return one row a role, primary or secondary."""
    rows = qualified(work, "user_roles")
    primary = mask(column(rows, "user_roles.is_primary"))
    return with_columns(rows, role_type=choose(primary, constant("primary", len(primary)), constant("secondary", len(primary))))


def user_rows(work: ExportTables) -> pa.Table:
    """Return one row a user: the one role and all organizations (1.1), identifiers, agents and grades as comma lists."""
    rows = qualified(work, "users")
    ids = column(rows, "users.user_id")
    if is_version(work, "1.1"):
        rows = with_columns(rows, **_roles_in_cells(work, ids))
    contacts = work.table("contacts").take(
        pc.sort_indices(work.table("contacts"), sort_keys=[("user_id", "ascending"), ("position", "ascending")])
    )
    profiles = work.table("student_profiles")
    grades = lookup(ids, column(profiles, "user_id"), work.col("student_profiles", "grades"))
    rows = with_columns(rows, agent_list=_lists(contacts, "contact_id", ids), grade_list=comma_list(grades, grades=True))
    return with_columns(rows, id_list=_identifier_lists(work, ids), enabled=equals_status(rows))


def _roles_in_cells(work: ExportTables, ids: Array) -> dict[str, Array]:
    """Return the organizations and the role of each user, for which 1.1 has no file of their own."""
    roles = work.table("user_roles")
    by_org = roles.take(
        pc.sort_indices(
            with_columns(roles, _p=pa.array(~mask(pc.fill_null(work.col("user_roles", "is_primary"), False)))),
            sort_keys=[("user_id", "ascending"), ("_p", "ascending"), ("organization_id", "ascending")],
        )
    )
    role = lookup(ids, column(roles, "user_id"), column(roles, "role"))
    return {"org_list": _lists(by_org, "organization_id", ids), "role": _word_of_file(role)}


def equals_status(rows: pa.Table) -> Array:
    """Return whether users may log in."""
    return pa.array(~equals(column(rows, "users.status"), "suspended"))


def _word_of_file(roles: Array) -> Array:
    return each_distinct(roles, lambda role: "administrator" if role == "admin" else role)


def _lists(rows: pa.Table, name: str, owners: Array) -> Array:
    """Return for each owner the values of a column, in the order of the rows, joined by commas."""
    if not rows.num_rows:
        return nulls(len(owners))
    pairs = first_rows(rows.select(["user_id", name]), ("user_id", name))
    grouped = pairs.group_by("user_id", use_threads=False).aggregate([(name, "list")])
    cells = pc.binary_join(column(grouped, f"{name}_list"), ",")
    return lookup(owners, column(grouped, "user_id"), cells)


def _identifier_lists(work: ExportTables, owners: Array) -> Array:
    rows = work.table("user_identifiers")
    if not rows.num_rows:
        return nulls(len(owners))
    text = pc.binary_join_element_wise("{", column(rows, "type"), ":", column(rows, "identifier"), "}", "")
    found = pa.table({"user_id": column(rows, "user_id"), "text": text})
    found = found.take(pc.sort_indices(found, sort_keys=[("user_id", "ascending"), ("text", "ascending")]))
    return _lists(found, "text", owners)


def identifiers(work: ExportTables) -> None:
    """Leave out identifiers that a comma list cannot hold."""
    cells = pc.binary_join_element_wise(
        pc.fill_null(work.col("user_identifiers", "type"), ""), pc.fill_null(work.col("user_identifiers", "identifier"), ""), ""
    )
    work.keep("user_identifiers", ~mask(pc.match_substring_regex(cells, pattern="[,{}]")), "comma_in_list")


def profiles_of_logins(work: ExportTables) -> None:
    """Give the profiles of users a vendor, as the file requires one."""
    rows = work.table("logins")
    work.fill("logins", "authentication_provider_id", constant("unknown", rows.num_rows))
    allowed = mask(pc.match_substring_regex(work.col("logins", "login_user_id"), pattern=ID_PATTERN)) & present(
        work.col("logins", "username")
    )
    work.keep("logins", allowed, "id_not_allowed")


def profile_rows(work: ExportTables) -> pa.Table:
    """Return one row a profile of a user, with what the extra columns say of it."""
    rows = qualified(work, "logins")
    for name, default in (
        ("profileType", "unknown"),
        ("credentialType", "unknown"),
        ("description", None),
        ("applicationId", None),
    ):
        values = work.extension("logins", name) if "extensions" in work.table("logins").column_names else nulls(rows.num_rows)
        rows = with_columns(rows, **{f"x_{name}": pc.coalesce(values, constant(default, rows.num_rows)) if default else values})
    return rows
