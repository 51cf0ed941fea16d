"""Rules and rows of School Data Sync: user names with a domain, flags of users, first items of lists."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.exports.arrays import choose, column, constant, each_distinct, mask, nulls, present, with_columns
from roster_etl.exports.export_tables import ExportTables
from roster_etl.exports.rows import left_join, qualified

FLAG_COLUMNS: Final = ("iep", "ell", "gifted", "section_504", "frl")
_FLAG_WORDS: Mapping[str, str] = {"iep": "iep", "ell": "ell", "gifted": "gifted", "section_504": "section504"}
_LUNCH: Mapping[str, str] = {"F": "freeLunch", "R": "reducedLunch"}


def usernames_with_domain(work: ExportTables) -> None:
    """Give a user name without a domain the one of the option, else the e-mail address."""
    names = work.col("users", "username")
    with_domain = mask(pc.match_substring(names, "@"))
    domain = work.options.get("username_domain")
    made = pc.binary_join_element_wise(names, str(domain).lstrip("@"), "@") if domain else work.col("users", "email")
    work.change("users", "username", choose(with_domain, names, pc.coalesce(made, names)), "coarser_code")


def role_rows(work: ExportTables) -> pa.Table:
    """Return one row a role, with the grade of a student."""
    rows = qualified(work, "user_roles")
    rows = left_join(work, rows, ("user_roles.user_kind", "user_roles.user_id"), "student_profiles", ("user_kind", "user_id"))
    student = mask(pc.equal(column(rows, "user_roles.role"), "student"))
    grade = column(rows, "student_profiles.grade")
    return with_columns(rows, **{"student_profiles.grade": choose(student, grade, nulls(len(grade)))})


def course_rows(work: ExportTables) -> pa.Table:
    """Return one row a course, with the first subject and grade of its lists."""
    rows = qualified(work, "courses")
    for name, source in (("first_subject", "subjects"), ("first_grade", "grades")):
        values = work.col("courses", source)
        several = each_distinct(values, lambda cell: len(json.loads(cell)) > 1, pa.bool_())
        work.losses.add("value_changed", "several_values", int(mask(several).sum()), table="courses", column=source)
        rows = with_columns(rows, **{name: each_distinct(values, lambda cell: next(iter(json.loads(cell)), None))})
    return rows


def demographic_rows(work: ExportTables) -> pa.Table:
    """Return one row a student with demographics."""
    rows = qualified(work, "student_profiles")
    races = each_distinct(work.col("student_profiles", "races"), lambda cell: ",".join(json.loads(cell)))
    race = pc.coalesce(races, work.col("student_profiles", "race"))
    hispanic = pc.if_else(work.col("student_profiles", "hispanic"), "hispanicOrLatino", "notHispanicOrLatino")
    names = ("birth_date", "sex", "birth_city", "birth_state", "birth_country")
    some = np.logical_or.reduce([present(column(rows, f"student_profiles.{name}")) for name in names])
    some |= present(race) | present(hispanic)
    return with_columns(rows, race_list=race, ethnicity=hispanic).filter(pa.array(some))


def flag_rows(work: ExportTables) -> pa.Table:
    """Return one row for each flag of a student that is set."""
    words = {**_FLAG_WORDS, **{name: str(word) for name, word in (work.options.get("flags") or {}).items()}}
    ids = work.col("student_profiles", "user_id")
    users, flags = [], []
    for name in FLAG_COLUMNS:
        values = work.col("student_profiles", name)
        found = (
            each_distinct(values, _LUNCH.get)
            if name == "frl"
            else choose(mask(values), constant(words[name], len(ids)), nulls(len(ids)))
        )
        unsaid = present(values) & ~present(found)
        work.losses.add("value_changed", "coarser_code", int(unsaid.sum()), table="student_profiles", column=name)
        users.append(ids.filter(pc.is_valid(found)))
        flags.append(pc.drop_null(found))
    return pa.table({"userSourcedId": pa.concat_arrays(users), "flag": pa.concat_arrays(flags)})
