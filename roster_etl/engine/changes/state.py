"""What a fold works on: the tables, the options, the edits in force, and what was noted.

Belongs here: the state and the loop over rows. What a row of a kind does stands in the module of its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.changes.change_findings import Notes, Refused
from roster_etl.engine.changes.change_rows import Read, Row
from roster_etl.engine.changes.protected_edits import Sticky
from roster_etl.engine.changes.working_table import Key, Record, Working
from roster_etl.mapping.change_plan import FoldPlan, RowKind

Apply = Callable[[Row], None]
BUILT_IN_BASES = ("student", "teacher", "ta", "designer", "observer")


@dataclass(frozen=True, kw_only=True)
class IdChange:
    """Import ``import_id`` gave the record of ``entity`` that had the id ``old`` the id ``new``."""

    import_id: int
    entity: str
    old: str
    new: str


@dataclass(kw_only=True)
class State:
    """The state of one fold.

    ``named``: enrollments that rows of the upload named, whole or in part (``enrolling``); ``id_changes``: those of earlier
    imports, then those of this one, in their order.
    """

    plan: FoldPlan
    tables: Mapping[str, Working]
    options: Mapping[str, Any]
    sticky: Sticky
    notes: Notes
    reads: dict[str, list[Read]] = field(default_factory=dict)
    named: list[pa.Table] = field(default_factory=list)
    id_changes: list[IdChange] = field(default_factory=list)

    def table(self, name: str) -> Working:
        """Return a table."""
        return self.tables[name]

    def put(self, kind: RowKind, row: Row, key: Key, values: Mapping[str, Any]) -> Record:
        """Give a record what a row says, but for columns that a steward's edit keeps."""
        table = self.table(kind.table)
        record = table.known(key)
        before = record.values if record else {}
        allowed = self.sticky.allowed(kind, self.key_of(kind.table, key), values, before)
        return table.put(key, allowed, row.origin)

    def key_of(self, table: str, key: Key) -> dict[str, Any]:
        """Return a key by column."""
        names = self.table(table).key
        return dict(zip(names, key if len(names) > 1 else (key,), strict=True))

    def end(self, kind: RowKind, row: Row, key: Key) -> bool:
        """End a record because a row says so; False: it was not there, or a steward's edit of its status keeps it."""
        table = self.table(kind.table)
        record = table.known(key)
        if record is not None and kind.sticky_end and self.sticky.holds(kind.table, self.key_of(kind.table, key), "status"):
            return False
        was_there = record is not None and record.alive
        table.end(key, "diffed" if row.dropped else "deleted", row.origin)
        return was_there

    def each(self, kind: RowKind, apply: Apply) -> None:
        """Apply the rows of a kind in their order; a row that raises ``Refused`` is noted and does not apply."""
        for read in self.reads.get(kind.name, ()):
            for row in read.rows():
                try:
                    apply(row)
                except Refused as why:
                    self.notes.refuse(kind, row, why)
                    self.notes.causes[(kind.table, row.get(kind.key[0]))] = row.origin
                else:
                    if row.source.retried:
                        self.notes.release(row.source, row.number)

    def must_exist(self, row: Row, name: str, table: str, key: Key) -> Record:
        """Return the record that a row names, deleted or not. Raises Refused: there never was one."""
        record = self.table(table).known(key)
        if record is None:
            raise Refused(
                "unknown_reference",
                self.nobody(table),
                about=name,
                cause=self.cause(table, key, row),
            )
        return record

    def noun(self, table: str) -> str:
        """Return the format's word for a record of `table`."""
        words = {name: word for word, name in self.plan.entities.items()}
        return words.get(table, "record").replace("_", " ")

    def nobody(self, table: str) -> str:
        """Return that no record of `table` has the id that a row names."""
        return f"No {self.noun(table)} has this id, in this upload or in an earlier one."

    def cause(self, table: str, key: Key, row: Row) -> tuple[str, int | None] | None:
        """Return the refused row that was to make a record, unless it is `row` itself."""
        found = self.notes.cause_of(table, key)
        return None if found == row.origin else found

    def must_live(self, row: Row, name: str, table: str, key: Key, code: str = "deleted_reference") -> Record:
        """Return the live record that a row names. Raises Refused."""
        record = self.must_exist(row, name, table, key)
        if not record.alive:
            raise Refused(code, f"The {self.noun(table)} with this id is deleted.", about=name)
        return record

    def person(self, row: Row, name: str, *, must_live: bool) -> str:
        """Return the person that a cell of `row` names, by the own id or by that of a further login.

        Raises: Refused: nobody has the id, or (with `must_live`) the person is deleted.
        """
        given = row.get(name)
        if self.table("users").live(given) is not None:
            return str(given)
        login = self.table("logins").live(given)
        if login is not None:
            return str(login.values["user_id"])
        (self.must_live if must_live else self.must_exist)(row, name, "users", given)
        return str(given)

    def cascade(self, name: str, columns: Iterable[str], ids: Iterable[str]) -> pa.Table:
        """End the records of table `name` of which one of `columns` is one of `ids`; return them."""
        table = self.table(name)
        gone = pa.array(sorted(ids), pa.string())
        mask = np.zeros(len(table.column(table.key[0])), dtype=bool)
        for column in columns:
            mask |= pc.is_in(table.column(column), value_set=gone).to_numpy(zero_copy_only=False)
        return table.kill(mask, "cascade")


def status_of(row: Row) -> str:
    """Return the status of a row. Raises Refused: it has none."""
    if row.status is None:
        raise Refused("bad_status", "Expected one of the statuses of the document.", about="status")
    return row.status


def given_values(kind: RowKind, row: Row, columns: Iterable[str]) -> dict[str, Any]:
    """Return what a row says of `columns`: nothing of an absent column, nor of a blank cell where blank keeps."""
    values: dict[str, Any] = {}
    wanted = set(columns) - set(kind.key)
    for given in kind.columns:
        if given.to not in row.cells or given.to not in wanted:
            continue
        value = row.cells[given.to]
        if given.clear is not None and value == given.clear:
            values[given.to] = None
        elif value is not None or given.blank == "clears":
            values[given.to] = value
    return values


def check_needed(kind: RowKind, row: Row, record: Record | None) -> None:
    """Refuse a row that lacks what its record cannot do without. Raises Refused."""
    for given in kind.columns:
        is_needed = given.needed == "live" or (given.needed == "new" and record is None)
        if is_needed and given.to != "status" and row.get(given.to) is None:
            raise Refused("missing_required", "A value is needed here for this record.", about=given.to)


class Unique:
    """Values that no two live records may share: value → the record that has it."""

    def __init__(self, code: str, name: str, message: str) -> None:
        self.code, self.name, self.message = code, name, message
        self.held: dict[str, Any] = {}

    def add(self, value: str | None, holder: Any) -> None:
        """Note that `holder` has `value`."""
        if value is not None:
            self.held[value] = holder

    def check(self, value: str | None, holder: Any) -> None:
        """Refuse `value` for `holder` if another record has it. Raises Refused."""
        if value is not None and self.held.get(value, holder) != holder:
            raise Refused(self.code, self.message, about=self.name)

    def move(self, old: str | None, new: str | None, holder: Any) -> None:
        """Note that `holder` has `new` instead of `old`."""
        if old is not None and self.held.get(old) == holder:
            del self.held[old]
        self.add(new, holder)


def second_id(values: Mapping[str, Any], record: Record | None) -> str | None:
    """Return the integration id that a record will have: the one in `values`, else the one that it has, or had before it ended."""
    found: str | None = values.get("integration_id", record.values["integration_id"] if record else None)
    return found


def integration_ids(table: Working) -> Unique:
    """Return the integration ids of the live records of a table."""
    unique = Unique("integration_id_taken", "integration_id", "Another record has this integration id.")
    for key, value in table.live_values("integration_id"):
        unique.add(value, key)
    return unique
