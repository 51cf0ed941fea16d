"""References are found to dangle whatever was known about them before: what is remembered is of columns that are the same ones."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from roster_etl.canonical.roster import TABLES
from roster_etl.exports.arrays import constant
from roster_etl.exports.export_tables import ExportTables
from roster_etl.store.files.column_spool import ColumnSpool

USERS, ROWS = 30, 90


def roster(chance: random.Random, folder: Path) -> ExportTables:
    """Return users of two kinds, and enrollments of which a few name nobody, or name no user."""
    ids = [f"u{n}" for n in range(USERS)]

    def table(name: str, size: int, **given: list[str | None]) -> pa.Table:
        schema = pa.schema([*TABLES[name].arrow_schema, ("derived", pa.string()), ("extensions", pa.string())])
        return pa.table([pa.array(given.get(f.name, [None] * size), f.type) for f in schema], schema=schema)

    kinds = ["student", "teacher"]
    named = [chance.choice([*ids, *ids, "nobody"]) if chance.random() < 0.05 else chance.choice(ids) for _ in range(ROWS)]
    tables = {
        "users": table("users", USERS, user_id=ids, user_kind=[kinds[n % 2] for n in range(USERS)]),
        "enrollments": table(
            "enrollments", ROWS, user_id=named, user_kind=[kinds[int(i[1:]) % 2] if i != "nobody" else "student" for i in named],
            associated_user_id=[chance.choice([None, *ids]) for _ in named], section_id=["s"] * ROWS, course_id=["c"] * ROWS,
        ),
        "sections": table("sections", 1, section_id=["s"], course_id=["c"]),
        "courses": table("courses", 1, course_id=["c"]),
    }  # fmt: skip
    work = ExportTables(tables, "d", "D", "UTC", datetime(2026, 9, 1, tzinfo=UTC), {}, store=ColumnSpool(folder, min_bytes=0))
    work.homes = frozenset(tables)
    return work


def steps(work: ExportTables, chance: random.Random, *, forgetful: bool) -> None:
    """Do some of what rules do, in any order; ``forgetful``: with nothing known about references."""

    def drop_users() -> None:
        work.keep("users", np.array([chance.random() > 0.1 for _ in range(work.table("users").num_rows)]), "left_out")

    def drop_enrollments() -> None:
        work.keep("enrollments", np.array([chance.random() > 0.1 for _ in range(work.table("enrollments").num_rows)]), "left_out")

    def one_kind() -> None:
        work.set_user_kinds(constant("user", work.table("users").num_rows))

    def rename() -> None:
        before = work.col("users", "user_id")
        work.rename_ids("users", before, pa.array([f"{cell}x" for cell in before.to_pylist()], pa.string()), "id_not_allowed")

    for _ in range(7):
        if forgetful:
            work._attached.clear()
        chance.choice([drop_users, drop_enrollments, one_kind, work.name_kinds, rename, work.cascade, work.settle])()
    if forgetful:
        work._attached.clear()
    work.cascade()


@pytest.mark.parametrize("seed", range(40))
def test_what_is_known_about_references_changes_no_table_and_no_loss(seed, tmp_path):
    found = []
    for forgetful in (False, True):
        chance = random.Random(seed)
        work = roster(chance, tmp_path)
        steps(work, chance, forgetful=forgetful)
        found.append(({name: table.to_pylist() for name, table in work.tables.items()}, work.losses.document()))

    assert found[0] == found[1]


@pytest.mark.parametrize("others", [[], [None], ["nobody"], [None, "nobody"]])
def test_who_is_not_among_the_users_keeps_kind_and_id(others: list[str | None]) -> None:
    columns = {"user_kind": pa.string(), "user_id": pa.string()}
    made = {"users": ["u1"], "user_roles": ["u1", *others]}
    tables = {
        name: pa.table({"user_kind": ["student"] * len(ids), "user_id": ids}, pa.schema(columns)) for name, ids in made.items()
    }

    for named in (False, True):
        work = ExportTables(dict(tables), "d", "D", "UTC", datetime(2026, 9, 1, tzinfo=UTC), {})
        work.name_kinds() if named else work.set_user_kinds(constant("user", 1))

        assert work.col("user_roles", "user_kind").to_pylist() == ["student" if named else "user", *["student"] * len(others)]
        assert work.col("user_roles", "user_id").to_pylist() == ["student-u1" if named else "u1", *others]
