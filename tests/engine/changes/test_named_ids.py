"""The ids that rows of an upload name, and those that these lead to."""

from __future__ import annotations

import pyarrow as pa

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.changes import ChangeFile, IdChange, collect_named_ids
from roster_etl.vendors import discover_vendors

PLAN = discover_vendors()["canvas"].change_plan


def table(name: str, **columns: list[str | None]) -> pa.Table:
    schema = TABLES[name].full_schema
    size = len(next(iter(columns.values())))
    return pa.table([pa.array(columns.get(field.name, [None] * size), field.type) for field in schema], schema=schema)


def named(rows: pa.Table, *changes: IdChange, kind: str = "enrollments", **current: pa.Table) -> set[str]:
    assert PLAN is not None
    return set(collect_named_ids(PLAN, [ChangeFile(kind=kind, file="x.csv", rows=rows)], current, changes).to_pylist())


def test_ids_of_all_columns_are_named_and_words_are_not() -> None:
    rows = pa.table({"course_id": ["c1", None], "user_id": ["u1", "u2"], "role": ["student", "teacher"]})

    assert named(rows) == {"c1", "u1", "u2"}


def test_a_record_that_is_named_names_others() -> None:
    logins = table("logins", login_user_id=["l1"], user_id=["u1"])
    users = table("users", user_id=["u1", "u2"], integration_id=[None, "i2"], primary_organization_id=["o1", "o2"])
    sections = table("sections", section_id=["s1", "s2"], course_id=["c1", "c2"], home_course_id=["c0", "c2"])
    rows = pa.table({"section_id": ["s1"], "user_id": ["l1"]})

    assert named(rows, logins=logins, users=users, sections=sections) == {"s1", "l1", "c1", "c0", "u1", "o1"}
    assert {"i2", "u2", "o2"} <= named(pa.table({"user_integration_id": ["i2"]}), users=users)


def test_an_id_is_named_with_all_that_it_was_and_became() -> None:
    changes = [IdChange(import_id=n, entity="users", old=old, new=new) for n, (old, new) in enumerate(("ab", "bc", "cd", "xy"))]

    assert named(pa.table({"user_id": ["c"]}), *changes) == {"a", "b", "c", "d"}
