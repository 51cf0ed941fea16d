"""Rules about contacts: what a format needs of them, their order, their ids."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.exports.arrays import column, constant, order, present, rank_in_group
from roster_etl.exports.export_tables import ExportTables
from roster_etl.exports.plan import Rule
from roster_etl.exports.rules.derived_ids import Derive, derive

PARENT = "Parent/Guardian"
OTHER = "Other"
_PARENTAL = r"(?i)parent|mother|father|guardian"


def typed_contacts(work: ExportTables) -> None:
    """Leave out contacts without a name, and make up a type where there is none, as Clever's document needs both."""
    work.keep("contacts", present(work.col("contacts", "name")), "missing_required")
    relationship = pc.fill_null(work.col("contacts", "relationship"), "")
    word = pc.if_else(pc.match_substring_regex(relationship, pattern=_PARENTAL), PARENT, OTHER)
    work.fill("contacts", "type", word)


def numbered_contacts(work: ExportTables) -> None:
    """Number the contacts of each person from 1, in their order: the reader counts rows."""
    work.tables["contacts"] = order(work.table("contacts"), "user_kind", "user_id", "position", "contact_id")
    places = pa.array(rank_in_group(work.user_keys("contacts")), pa.int64())
    work.change("contacts", "position", places, "coarser_code")


def rederive_contacts(function: Derive) -> Rule:
    """Return the rule that gives contacts without an id of the source's the id which the reader derives from name, relationship, type."""

    def rule(work: ExportTables) -> None:
        derived = pa.array(work.is_derived("contacts", "contact_id"))
        made = derive(function, *(work.col("contacts", name) for name in ("name", "relationship", "type")))
        new = pc.if_else(derived, made, work.col("contacts", "contact_id"))
        rename_contacts(work, new)

    return rule


def rename_contacts(work: ExportTables, new: pa.Array) -> None:
    """Give contacts new ids, and join those of one person that get the same."""
    work.change("contacts", "contact_id", new, "id_not_allowed")
    work.keep_first("contacts", ("user_kind", "user_id", "contact_id"))


def by_position(most: int, words: tuple[str, ...]) -> Rule:
    """Return the rule that keeps the first contacts of each person, and says their type by their place: ``Primary``, ``Secondary``."""

    def rule(work: ExportTables) -> None:
        numbered_contacts(work)
        places = column(work.table("contacts"), "position").to_numpy(zero_copy_only=False)
        work.keep("contacts", places <= most, "no_home")
        said = pa.array([words[place - 1] for place in work.col("contacts", "position").to_pylist()], pa.string())
        work.change("contacts", "type", said, "coarser_code")

    return rule


def rederive_by_type(function: Derive) -> Rule:
    """Return the rule that gives contacts the id which the reader derives from name and type, where no relationship is said."""

    def rule(work: ExportTables) -> None:
        size = work.table("contacts").num_rows
        new = derive(function, work.col("contacts", "name"), constant("", size), work.col("contacts", "type"))
        rename_contacts(work, new)

    return rule


def drop_empty_contacts(work: ExportTables) -> None:
    """Leave out contacts that have neither name, phone nor e-mail."""
    some = present(work.col("contacts", "name")) | present(work.col("contacts", "phone")) | present(work.col("contacts", "email"))
    work.keep("contacts", some, "missing_required")
