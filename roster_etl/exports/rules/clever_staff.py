"""Rules about staff of Clever's kind: offices, the district as a whole, technology leads; and their rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.exports.arrays import (
    Mask,
    choose,
    column,
    constant,
    equals,
    first_marks,
    first_rows,
    is_in,
    lookup,
    nulls,
    present,
    with_columns,
)
from roster_etl.exports.export_tables import ROW, ExportTables
from roster_etl.exports.plan import Rows, Rule
from roster_etl.exports.rows import left_join, qualified
from roster_etl.exports.rules.classes import join_records
from roster_etl.exports.rules.people import students, teachers, with_email

_WORD = "_word"
LEAD_WORD = "School Tech Lead"


def require_email(work: ExportTables) -> None:
    """Leave out staff without an e-mail address of their own, which the format needs of them alone."""
    staff = ~students(work) & ~teachers(work)
    work.keep("users", ~staff | with_email(work), "missing_required")
    staff = ~students(work) & ~teachers(work)
    folded = pc.utf8_lower(work.col("users", "email"))
    own = np.ones(len(staff), dtype=bool)
    own[staff] = first_marks(folded.filter(pa.array(staff)))
    work.keep("users", own, "missing_required")
    work.cascade()


def staff_roles(*, office: str, office_name: str, lead: str) -> Rule:
    """Return the rule that says staff as the format does: one office, `district` as all schools, and one role a person."""

    def rule(work: ExportTables) -> None:
        staff = equals(work.col("user_roles", "user_kind"), "staff")
        _one_office(work, staff, office, office_name)
        _every_school(work)
        _one_role(work, lead)

    return rule


def _one_office(work: ExportTables, staff: Mask, office: str, office_name: str) -> None:
    used = work.col("user_roles", "organization_id").filter(pa.array(staff))
    offices = equals(work.col("organizations", "type"), "office")
    work.keep("organizations", ~offices | is_in(work.col("organizations", "organization_id"), used), "no_home")
    offices = equals(work.col("organizations", "type"), "office")
    ids = work.col("organizations", "organization_id")
    names = work.col("organizations", "name")
    work.change("organizations", "name", choose(offices, constant(office_name, len(ids)), names), "coarser_code")
    join_records(work, "organizations", "organizations", "organization_id", ids, choose(offices, constant(office, len(ids)), ids))
    work.cascade()


def _every_school(work: ExportTables) -> None:
    """Say a role at the district as one at each school, and leave out the district itself."""
    district = work.col("organizations", "organization_id").filter(
        pa.array(equals(work.col("organizations", "type"), "district"))
    )
    rows = work.table("user_roles")
    at = work.col("user_roles", "organization_id")
    everywhere = equals(work.col("user_roles", "user_kind"), "staff") & (is_in(at, district) | ~present(at))
    schools = work.col("organizations", "organization_id").filter(pa.array(equals(work.col("organizations", "type"), "school")))
    marked = with_columns(rows, **{_WORD: nulls(rows.num_rows)})
    if everywhere.any():
        wide = rows.filter(pa.array(everywhere))
        places = np.repeat(np.arange(wide.num_rows), len(schools))
        made = with_columns(
            wide.take(pa.array(places)),
            organization_id=pa.concat_arrays([schools] * wide.num_rows),
            **{_WORD: constant("district", len(places)), ROW: nulls(len(places), pa.int64())},
        )
        marked = pa.concat_tables([marked.filter(pa.array(~everywhere)), made.select(marked.column_names)]).combine_chunks()
        work.losses.add("rows_split", "several_values", wide.num_rows, table="user_roles")
    work.tables["user_roles"] = marked
    work.keep("organizations", equals(work.col("organizations", "type"), "school", "office"), "no_home")
    work.cascade()


def _one_role(work: ExportTables, lead: str) -> None:
    rows = work.table("user_roles")
    staff = equals(work.col("user_roles", "user_kind"), "staff")
    leads = work.user_keys("user_roles").filter(pa.array(staff & equals(column(rows, "role"), lead)))
    word = pc.if_else(pa.array(is_in(work.user_keys("user_roles"), leads)), lead, "staff")
    work.change("user_roles", "role", choose(staff, word, work.col("user_roles", "role")), "coarser_code")
    work.keep_first("user_roles", ("user_kind", "user_id", "organization_id", "role"))


def staff_rows(*, office: str, everywhere: str) -> Rows:
    """Return one row a role of staff; a role at every school is one row with the word `everywhere` as its school."""
    del office  # the office's id is its word already

    def rows(work: ExportTables) -> pa.Table:
        found = qualified(work, "user_roles")
        found = found.filter(pa.array(equals(column(found, "user_roles.user_kind"), "staff")))
        word = choose(
            present(column(found, _WORD)), constant(everywhere, found.num_rows), column(found, "user_roles.organization_id")
        )
        found = with_columns(found, School_id=word, **{"users.user_id": column(found, "user_roles.user_id")})
        found = left_join(work, found, ("user_roles.user_kind", "user_roles.user_id"), "users", ("user_kind", "user_id"))
        for name in work.extension_names("users"):
            values = work.extension("users", name)
            found = with_columns(found, **{name: lookup(column(found, "users.user_id"), work.col("users", "user_id"), values)})
        role = column(found, "user_roles.role")
        title = pc.coalesce(column(found, "user_roles.title"), column(found, "users.title"))
        found = with_columns(
            found,
            staff_title=title,
            role_word=choose(equals(role, "tech_lead"), constant(LEAD_WORD, found.num_rows), nulls(found.num_rows)),
        )
        return first_rows(found, ("users.user_id", "School_id"))

    return rows
