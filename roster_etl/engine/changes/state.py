"""The working state while changes are applied: tables, options, overrides and collected findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.changes.awaited import text_of, texts_of_blocked
from roster_etl.engine.changes.change_findings import ChangeLog, RowRejected
from roster_etl.engine.changes.change_rows import ReadRows, Row
from roster_etl.engine.changes.override_protection import ProtectedEdits
from roster_etl.engine.changes.working_table import Key, WorkingRecord, WorkingTable
from roster_etl.frames.similar_ids import SIMILAR
from roster_etl.mapping.change_plan import ChangePlan, RowKind

ApplyRow = Callable[[Row], None]
FindOrigin = Callable[[Any], tuple[str | None, int | None] | None]
AMBIGUOUS_ID = "Rows that describe different records have this id, so it is not clear which is meant."
BUILT_IN_BASES = ("student", "teacher", "ta", "designer", "observer")


@dataclass(frozen=True, kw_only=True)
class IdChange:
    """Import ``import_id`` changed the id of a record of ``entity`` from ``old`` to ``new``."""

    import_id: int
    entity: str
    old: str
    new: str


@dataclass(kw_only=True)
class State:
    """The working state for one upload.

    ``stated_enrollments``: enrollments that rows of the upload named, fully or partly (``enrollment_lookup``); ``id_changes``:
    those of earlier imports, then those of this one, in order; ``shared_ids``: table → ids that rows of this upload give to
    different records → a rejected row; ``waiting_ids``: those of such rows of earlier uploads that are still in the quarantine;
    ``seen``: (table, key) of the records that the row at hand has looked up; ``described``: texts of the records that the rows describe;
    ``touched_before``: kind → table → how many changes of it were there when the kind began.
    """

    plan: ChangePlan
    tables: Mapping[str, WorkingTable]
    options: Mapping[str, Any]
    protected_edits: ProtectedEdits
    log: ChangeLog
    reads: dict[str, list[ReadRows]] = field(default_factory=dict)
    stated_enrollments: list[pa.Table] = field(default_factory=list)
    id_changes: list[IdChange] = field(default_factory=list)
    shared_ids: dict[str, dict[str, tuple[str, int | None]]] = field(default_factory=dict)
    waiting_ids: dict[str, dict[str, tuple[str, int | None]]] = field(default_factory=dict)
    seen: set[tuple[str, Key]] = field(default_factory=set)
    described: list[pa.Array] = field(default_factory=list)
    touched_before: dict[str, dict[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for table in self.tables.values():
            table.seen = self.seen

    def table(self, name: str) -> WorkingTable:
        """Return a table."""
        return self.tables[name]

    def touched(self) -> dict[str, list[pa.Table]]:
        """Return the watched columns of changed records, before and after, by table."""
        return {name: table.touched for name, table in self.tables.items()}

    def upsert(self, kind: RowKind, row: Row, key: Key, values: Mapping[str, Any]) -> WorkingRecord:
        """Write a row's values to a record, except for columns that an override protects."""
        table = self.table(kind.table)
        record = table.find(key)
        before = record.values if record else {}
        allowed = self.protected_edits.allowed_values(kind, self.key_of(kind.table, key), values, before)
        return table.upsert(key, allowed, row.origin)

    def key_of(self, table: str, key: Key) -> dict[str, Any]:
        """Return the key as column → value."""
        names = self.table(table).key
        return dict(zip(names, key if len(names) > 1 else (key,), strict=True))

    def end_record(self, kind: RowKind, row: Row, key: Key) -> bool:
        """End a record for a row; False: it did not exist, or an override of its status protects it."""
        table = self.table(kind.table)
        record = table.find(key)
        if (
            record is not None
            and kind.protects_deletion
            and self.protected_edits.is_protected(kind.table, self.key_of(kind.table, key), "status")
        ):
            return False
        was_there = record is not None and record.alive
        table.end_record(key, "diffed" if row.dropped else "deleted", row.origin)
        return was_there

    def apply_rows(self, kind: RowKind, apply: ApplyRow) -> None:
        """Apply the rows of a kind in order; a row that raises ``RowRejected`` is recorded and not applied."""
        for read in self.reads.get(kind.name, ()):
            for row in read.rows():
                self.seen.clear()
                try:
                    apply(row)
                except RowRejected as why:
                    self.log.reject_row(kind, row, why, self._awaited(kind, row, why))
                    if not row.source.is_retried:  # a cause is a row of this upload
                        self.log.causes[(kind.table, row.get(kind.key[0]))] = row.origin
                else:
                    if row.source.is_retried:
                        self.log.release_row(row.source, row.number)

    def _awaited(self, kind: RowKind, row: Row, why: RowRejected) -> set[str]:
        """Return what a rejected row waits for: the records that its check looked up, and those that stand in its way."""
        known = {text_of(*place) for place in (*self.seen, *([why.holder] if why.holder else ()))}
        return {*(text for text in known if text), *texts_of_blocked(kind, why.code, row.get(kind.key[0]))}

    def require_record(self, row: Row, name: str, table: str, key: Key) -> WorkingRecord:
        """Return the record that a row names, deleted or not. Raises RowRejected: it never existed."""
        record = self.table(table).find(key)
        if record is None:
            raise RowRejected(
                "unknown_reference",
                self.unknown_id_message(table, key),
                about=name,
                cause=self.find_cause(table, key, row),
            )
        return record

    def table_noun(self, table: str) -> str:
        """Return the format's term for a record of `table`."""
        words = {name: word for word, name in self.plan.entities.items()}
        return words.get(table, "record").replace("_", " ")

    def unknown_id_message(self, table: str, key: Key = None) -> str:
        """Return the message that no record of `table` has the id `key` that a row names, or the one that it was compared with."""
        alike = f" {SIMILAR}" if self.table(table).has_similar_key(key) else ""
        return f"No {self.table_noun(table)} has this id, in this upload or in an earlier one.{alike}"

    def id_change_advice(self, option: str) -> str:
        """Return a sentence about a person who may have got a new id: the file that says so, and the `option` for uploads that do not."""
        file = next((kind.name for kind in self.plan.kinds if kind.handler == "rename"), None)
        if file is None:
            return ""
        return f" If it is the same person under a new id, say so in {file}.csv, or set the option {option}=true."

    def find_cause(self, table: str, key: Key, row: Row) -> tuple[str, int | None] | None:
        """Return the rejected row that would have created a record, unless it is `row` itself."""
        found = self.log.cause_of(table, key)
        return None if found == row.origin else found

    def require_live_record(self, row: Row, name: str, table: str, key: Key, code: str = "deleted_reference") -> WorkingRecord:
        """Return the live record that a row names. Raises RowRejected."""
        record = self.require_record(row, name, table, key)
        if not record.alive:
            raise RowRejected(code, f"The {self.table_noun(table)} with this id is deleted.", about=name)
        return record

    def resolve_person(self, row: Row, name: str, *, must_live: bool) -> str:
        """Return the person for a cell of `row`: their own id, or that of a further login.

        Raises: RowRejected: nobody has the id, or (with `must_live`) the person is deleted, or different people have the id.
        """
        given = row.get(name)
        if must_live:
            self.require_clear_id(row, name, "users")
        if self.table("users").find_live(given) is not None:
            return str(given)
        login = self.table("logins").find_live(given)
        if login is not None:
            return str(login.values["user_id"])
        (self.require_live_record if must_live else self.require_record)(row, name, "users", given)
        return str(given)

    def require_clear_id(self, row: Row, name: str, table: str) -> None:
        """Require that a cell names no id that rows give to different records of `table`. Raises RowRejected."""
        for shared in self.shared_by(table, is_retried=row.source.is_retried):
            if row.get(name) in shared:
                raise RowRejected("unknown_reference", AMBIGUOUS_ID, about=name, cause=shared[row.get(name)])

    def shared_by(self, table: str, *, is_retried: bool) -> Iterator[Mapping[str, tuple[str, int | None]]]:
        """Yield the ids that rows give to different records, with a rejected row: those of this upload; a retried row sees older ones, too."""
        yield self.shared_ids.get(table, {})
        if is_retried:
            yield self.waiting_ids.get(table, {})

    def cascade(self, name: str, columns: Iterable[str], ids: Iterable[str]) -> pa.Table:
        """End the records of table `name` where one of `columns` is in `ids`, and return them."""
        table = self.table(name)
        gone = pa.array(sorted(ids), pa.string())
        mask = np.zeros(len(table.column(table.key[0])), dtype=bool)
        for column in columns:
            mask |= pc.is_in(table.column(column), value_set=gone).to_numpy(zero_copy_only=False)
        return table.end_rows(mask, "cascade")


def status_of(row: Row) -> str:
    """Return the status of a row. Raises RowRejected: it has none."""
    if row.status is None:
        raise RowRejected("bad_status", "Expected one of the statuses of the document.", about="status")
    return row.status


def stated_values(kind: RowKind, row: Row, columns: Iterable[str]) -> dict[str, Any]:
    """Return the row's values for `columns`, without absent columns, and without blank cells where blank keeps the value."""
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


def require_values(kind: RowKind, row: Row, record: WorkingRecord | None) -> None:
    """Require the values that a record must have. Raises RowRejected."""
    for given in kind.columns:
        is_needed = given.needed == "live" or (given.needed == "new" and record is None)
        if is_needed and given.to != "status" and row.get(given.to) is None:
            raise RowRejected("missing_required", "A value is needed here for this record.", about=given.to)


class UniqueIndex:
    """Values that no two live records may share: value → its record."""

    def __init__(
        self, code: str, name: str, message: str, *, table: str = "", find_origin: FindOrigin | None = None, advice: str = ""
    ) -> None:
        """Set what a refusal says.

        ``table``: of the holders; empty: a holder is (table, key). ``find_origin``: the row of this upload that a holder comes from;
        ``advice``: a last sentence.
        """
        self.code, self.name, self.message = code, name, message
        self._table, self._find_origin, self._advice = table, find_origin, advice
        self.held: dict[str, Any] = {}

    def add(self, value: str | None, holder: Any) -> None:
        """Record `value` as that of `holder`."""
        if value is not None:
            self.held[value] = holder

    def check(self, value: str | None, holder: Any) -> None:
        """Require that no record other than `holder` has `value`. Raises RowRejected."""
        if value is not None and self.held.get(value, holder) != holder:
            other = self.held[value]
            raise RowRejected(
                self.code, self._text(other), about=self.name, holder=(self._table, other) if self._table else other
            )

    def _text(self, holder: Any) -> str:
        """Return the message, with the row that stands, if it is one of this upload."""
        file, row = (self._find_origin(holder) if self._find_origin else None) or (None, None)
        stands = f" That is row {row} of {file}, which stands." if file and row else ""
        return f"{self.message}{stands}{self._advice}"

    def move(self, old: str | None, new: str | None, holder: Any) -> None:
        """Replace the value `old` of `holder` by `new`."""
        if old is not None and self.held.get(old) == holder:
            del self.held[old]
        self.add(new, holder)


def next_integration_id(values: Mapping[str, Any], record: WorkingRecord | None) -> str | None:
    """Return the integration id that a record will have: from `values`, else its current one, or that before it ended."""
    found: str | None = values.get("integration_id", record.values["integration_id"] if record else None)
    return found


def index_integration_ids(table: WorkingTable) -> UniqueIndex:
    """Return the integration ids of the live records of a table."""
    unique = UniqueIndex(
        "integration_id_taken",
        "integration_id",
        "Another record has this integration id.",
        table=table.target.name,
        find_origin=table.changed_by,
    )
    for key, value in table.live_values("integration_id"):
        unique.add(value, key)
    return unique
