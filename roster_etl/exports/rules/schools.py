"""Rules about organizations: which of them are schools, and which a format cannot say."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.exports.arrays import Mask, choose, column, constant, equals, is_in, nulls, present
from roster_etl.exports.export_tables import ExportTables
from roster_etl.exports.plan import Rule


def is_school(work: ExportTables) -> Mask:
    """Return which accounts stand for schools: something is taught there, somebody is there, or no account is below."""
    ids = work.col("organizations", "organization_id")
    used = [work.col(name, "organization_id") for name in ("sections", "courses", "user_roles") if name in work.tables]
    busy = is_in(ids, pa.concat_arrays(used))
    accounts = work.table("organizations").filter(pa.array(equals(work.col("organizations", "type"), "account")))
    above = is_in(ids, column(accounts, "parent_organization_id"))
    return equals(work.col("organizations", "type"), "account") & (busy | ~above)


def only_schools(*also: str, named: bool = True) -> Rule:
    """Return the rule that keeps schools, accounts that stand for one (said as schools), and organizations of the types `also`.

    ``named``: the format needs a name; a school without one is left out, and what belongs to it.
    """

    def rule(work: ExportTables) -> None:
        types = work.col("organizations", "type")
        kept = is_school(work) | equals(types, "school", *also) | ~present(types)
        work.keep("organizations", kept, "no_home")
        work.fill("organizations", "type", constant("school", work.table("organizations").num_rows))
        map_organization_type(work, "account", "school")
        if named:
            work.keep("organizations", present(work.col("organizations", "name")), "missing_required")
        work.cascade()

    return rule


def map_organization_type(work: ExportTables, before: str, after: str) -> None:
    """Say organizations of one type as another."""
    types = work.col("organizations", "type")
    work.change("organizations", "type", choose(equals(types, before), constant(after, len(types)), types), "coarser_code")


def all_of_type(kind: str) -> Rule:
    """Return the rule that says all organizations as one type, in a format that has no types."""

    def rule(work: ExportTables) -> None:
        work.change("organizations", "type", constant(kind, work.table("organizations").num_rows), "coarser_code")

    return rule


def number_schools(work: ExportTables) -> None:
    """Give schools without a number their id with the state, else their own, as the format needs one."""
    schools = equals(work.col("organizations", "type"), "school")
    fallback = pc.coalesce(work.col("organizations", "state_id"), work.col("organizations", "organization_id"))
    work.fill("organizations", "number", choose(schools, fallback, nulls(len(schools))))
