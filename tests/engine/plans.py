"""Plans for tests: rosters before and after, a few rows each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.planning.plan import Plan, TablePlan, make_plan
from roster_etl.engine.planning.removal_evidence import RemovalEvidence
from roster_etl.engine.transform.mapper import ORIGIN
from roster_etl.frames.arrow import DELETED, REFUSED, combine_chunks
from roster_etl.frames.row_hashes import HASH, key_text, row_hash

Row = Mapping[str, Any]
CERTAIN = RemovalEvidence(file_of=lambda name: name.rpartition("/")[2].removesuffix(".csv"))


def mapped_table(name: str, rows: Sequence[Row]) -> pa.Table:
    """Return `rows` as a mapped table; a row that leaves the origin out came from the table's own file."""
    target = TABLES[name]
    usual = {"source_file": f"{name}.csv", "source_row": 2, "derived": "[]", "extensions": "{}", REFUSED: False, DELETED: False}
    schema = pa.schema([*target.arrow_schema, *ORIGIN, (REFUSED, pa.bool_()), (DELETED, pa.bool_())])
    table = pa.Table.from_pylist([usual | dict(row) for row in rows], schema=schema)
    return table.append_column(HASH, row_hash(table, target))


class Current:
    """A published table; version ids are 100, 101, … in the order of its rows."""

    def __init__(self, name: str, rows: Sequence[Row]) -> None:
        self.name = name
        table = mapped_table(name, rows).drop_columns([REFUSED, DELETED])
        self.table = table.append_column("version_id", pa.array(range(100, 100 + table.num_rows), pa.int64()))

    def hashes(self) -> pa.Table:
        return self.table.select(["version_id", HASH])

    def rows(self, version_ids: pa.Array) -> pa.Table:
        return self.table.filter(pc.is_in(combine_chunks(self.table.column("version_id")), value_set=version_ids))

    def count_by_school(self) -> Mapping[str, int]:
        column = TABLES[self.name].school_column
        return Counter(value for value in self.table.column(column).to_pylist() if value) if column else {}

    def versions_by_key(self, keys: pa.Table) -> pa.Table:
        key = TABLES[self.name].key
        return self.table.filter(pc.is_in(key_text(self.table, key), value_set=key_text(keys, key)))

    def count(self) -> int:
        return int(self.table.num_rows)


def plan_of(
    before: Mapping[str, Sequence[Row]],
    after: Mapping[str, Sequence[Row]],
    doubt: RemovalEvidence = CERTAIN,
    base: int | None = 7,
) -> Plan:
    mapped = {name: mapped_table(name, rows) for name, rows in after.items()}
    current = {name: Current(name, before.get(name, ())) for name in after}
    return make_plan(mapped, current, base=base, evidence=doubt)


def users_plan(before: Sequence[Row], after: Sequence[Row], doubt: RemovalEvidence = CERTAIN) -> TablePlan:
    return plan_of({"users": before}, {"users": after}, doubt).tables["users"]


def user(number: int, **cells: Any) -> Row:
    return {"user_kind": "student", "user_id": f"u{number}", **cells}


def counts(plan: TablePlan) -> tuple[int, int, int]:
    return plan.created, plan.updated, plan.deleted


def closes(plan: TablePlan) -> list[tuple[int, str]]:
    return sorted((row["version_id"], row["close_reason"]) for row in plan.closes.to_pylist())


def many(count: int, **cells: Any) -> list[Row]:
    return [user(number, **cells) for number in range(count)]
