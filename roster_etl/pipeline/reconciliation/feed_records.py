"""The records of one feed that a comparison has read so far: as they are now, and as they were when feeds were compared last.

Belongs here: reading records by the values of a column, each once. Which ones are needed is ``changed_records``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.reconcile.rosters import RULES, columns_to_read, id_texts, record_ids
from roster_etl.store.warehouse import SqlReconciliation
from roster_etl.store.warehouse.roster_read import WantedEnrollments

Value = tuple[str, ...]
WithValue = tuple[str, Value]
_OWN_SCHOOL = {"school": "organization_id"}
_OWN = {"course_number": "course_id", **_OWN_SCHOOL}
"""What a record itself has of a value that is found elsewhere."""
_ROLES = ("user_roles", "enrollments")
_ROLE = ("user_kind", "user_id", "role", "valid_from_import", "version_id")


class FeedRecords:
    """Current and former records of one feed. What changed since the last comparison is read at once, the rest on demand."""

    def __init__(self, session: SqlReconciliation, district_id: str, source: str, imports: tuple[int, int]) -> None:
        """Args: imports: the last import of the feed that was compared, and its newest one."""
        self._session, self._feed, self._since = session, (district_id, source), imports[0]
        self.source = source
        columns = {name: _columns(name) for name in (*RULES, "user_roles", "id_changes")}
        self._ended = {name: TABLES[name].full_schema.empty_table().select(read) for name, read in columns.items()}
        self._begun = dict(self._ended)
        for name, read in columns.items() if imports[0] != imports[1] else ():
            self._ended[name] = session.versions_ended_since(*self._feed, name, imports[0] + 1, read)
            self._begun[name] = session.versions_begun_since(*self._feed, name, imports[0] + 1, read)
        self._read = {name: self._begun[name] for name in (*RULES, "user_roles")}
        self._asked: dict[tuple[str, str], set[Any]] = {}
        self._whole: set[str] = set()
        self._with_values: dict[tuple[str, ...], tuple[tuple[pa.Table, pa.Table], Sequence[WithValue]]] = {}
        self.schools: Mapping[str, str] | None = None  # of feed B: an organization → the same one in A
        self._roles = {name: self._begun[name].select(_ROLE) for name in _ROLES}

    def changed(self, table: str) -> pa.Table:
        """Return the versions of a table that ended or began since the last comparison."""
        return pa.concat_tables([self._ended[table], self._begun[table]])

    def now(self, table: str) -> pa.Table:
        """Return what was read of the current records of a table."""
        return self._read[table]

    def before(self, table: str) -> pa.Table:
        """Return what was read of the records of a table that were current at the last comparison."""
        return self._as_before(self._read[table], self._ended[table])

    def roles(self, name: str) -> tuple[pa.Table, pa.Table]:
        """Return the roles in ``user_roles`` or ``enrollments`` that were read: those of the last comparison, and those of now."""
        return self._as_before(self._roles[name], self._ended[name]), self._roles[name]

    def both(self, table: str) -> Iterator[pa.Table]:
        """Yield what was read of a table: current records, and those that ended."""
        yield self._read[table]
        yield self._ended[table]

    def with_values(self, table: str, columns: Sequence[str]) -> Sequence[WithValue]:
        """Return the ID of each record that was read of a table, current and former, with its values in `columns`, where it has all.

        ``course_number`` is that of a section's course, each of those that it has had; ``school`` is the organization as feed A has it.
        """
        read = self._read[table], self._read["courses"]
        known = self._with_values.get((table, *columns))
        if known is None or any(one is not other for one, other in zip(known[0], read, strict=True)):
            pairs = [pair for rows in self.both(table) for pair in self._values(rows, table, columns)]
            known = self._with_values[table, *columns] = read, pairs
        return known[1]

    def having(self, table: str, columns: tuple[str, ...], values: Collection[Value]) -> set[str]:
        """Return the IDs of the records that were read of a table, current and former, that have one of `values` in `columns`."""
        if not _is_plain(columns):
            return {one for one, value in self.with_values(table, columns) if value in values}
        (name,), wanted, found = columns, pa.array([value for (value,) in values], pa.string()), set[str]()
        for rows in self.both(table):
            chosen = pc.is_in(_found_as(rows, name), value_set=wanted)
            found.update(record_ids(rows.filter(chosen), table).tolist())
        return found

    def values_of(self, table: str, columns: tuple[str, ...], ids: Collection[str]) -> set[Value]:
        """Return the values in `columns`, then and now, of the records with `ids` that were read of a table."""
        if not _is_plain(columns):
            return {value for one, value in self.with_values(table, columns) if one in ids}
        wanted, found = pa.array(list(ids), pa.string()), set[Value]()
        for rows in self.both(table):
            chosen = rows.filter(pc.is_in(id_texts(rows, table), value_set=wanted))
            found.update((value,) for value in unique_texts(chosen, columns[0]))
        return found

    def _values(self, rows: pa.Table, table: str, columns: Sequence[str]) -> Iterable[WithValue]:
        ids = record_ids(rows, table).tolist()
        texts = [text_values(rows, _OWN.get(name, name)) for name in columns]
        if _is_plain(columns):
            return ((one, (text,)) for one, text in zip(ids, texts[0], strict=True) if text is not None)
        numbers: dict[str, set[str]] = {}
        for course, (number,) in self.with_values("courses", ("number",)) if "course_number" in columns else ():
            numbers.setdefault(course, set()).add(number)
        return (
            (one, value)
            for one, *found in zip(ids, *texts, strict=True)
            for value in product(*(self._choices(name, text, numbers) for name, text in zip(columns, found, strict=True)))
        )

    def _choices(self, name: str, text: str | None, numbers: Mapping[str, Collection[str]]) -> Collection[str]:
        if text is None:
            return ()
        if name == "course_number":
            return numbers.get(text, ())
        if name == "school" and self.schools is not None:
            return (self.schools[text],) if text in self.schools else ()
        return (text,)

    def read_sharing(self, table: str, wanted: Mapping[tuple[str, ...], Collection[Value]]) -> None:
        """Read the current records that have, in the columns of `wanted`, one of the values there; schools as feed A has them."""
        texts: dict[str, Iterable[str | Value]] = {}
        for columns, values in wanted.items():
            name = "+".join(_OWN_SCHOOL.get(column, column) for column in columns)
            own = self._with_own_schools(columns, values)
            texts[name] = (value[0] for value in own) if len(columns) == 1 else own
        self.read(table, texts)

    def _with_own_schools(self, columns: tuple[str, ...], values: Collection[Value]) -> Iterable[Value]:
        """Return the values that this feed can have, with the schools as it has them."""
        if "school" not in columns or self.schools is None:
            return values
        at, own = columns.index("school"), {of_a: of_b for of_b, of_a in self.schools.items()}
        return ((*value[:at], own[value[at]], *value[at + 1 :]) for value in values if value[at] in own)

    def read(self, table: str, wanted: Mapping[str, Iterable[str | Value]]) -> None:
        """Read the current records that have, in a column of `wanted` (or several, joined by ``+``), one of the values there."""
        fresh = {}
        for column, values in wanted.items():
            asked = self._asked.setdefault((table, column), set())
            if new := set(values) - asked:
                asked |= new
                fresh[column] = pa.array(sorted(new), pa.list_(pa.string()) if "+" in column else pa.string())
        if fresh and table not in self._whole:
            columns = _columns(table)
            found = self._session.current_records_by(*self._feed, table, fresh, columns)
            self._read[table] = _added(self._read[table], found)

    def read_all(self, table: str) -> None:
        """Read all current records of a table."""
        if table not in self._whole:
            self._whole.add(table)
            self._read[table] = self._session.current_records(*self._feed, table, _columns(table))

    def read_enrollments(self, wanted: WantedEnrollments) -> None:
        """Read current enrollments."""
        if wanted:
            found = self._session.current_enrollments(*self._feed, wanted, _columns("enrollments"))
            self._read["enrollments"] = _added(self._read["enrollments"], found)

    def read_roles(self, user_ids: Iterable[str]) -> None:
        """Read the roles of users of the kind ``user``, by their IDs, so that `roles` has them."""
        asked = self._asked.setdefault(("", "role"), set())
        new = set(user_ids) - asked
        if not new:
            return
        asked |= new
        roles = self._session.current_records_by(
            *self._feed, "user_roles", {"user_id": pa.array(sorted(new), pa.string())}, _ROLE
        )
        self._roles["user_roles"] = _added(self._roles["user_roles"], roles)
        seats = self._session.current_enrollments(
            *self._feed, WantedEnrollments(users=[("user", one) for one in sorted(new)]), _ROLE
        )
        self._roles["enrollments"] = _added(self._roles["enrollments"], seats)

    def _as_before(self, current: pa.Table, ended: pa.Table) -> pa.Table:
        known = current.filter(pc.less_equal(current.column("valid_from_import"), self._since))
        return pa.concat_tables([known, ended.select(current.column_names)])


def text_values(rows: pa.Table, column: str) -> list[str | None]:
    """Return a column as records are found by it: text, e-mail addresses in lower case."""
    found: list[str | None] = _found_as(rows, column).to_pylist()
    return found


def unique_texts(rows: pa.Table, column: str) -> list[str]:
    """Return the texts in a column, each once, as `text_values` has them; NULL is left out."""
    found: list[str] = pc.drop_null(pc.unique(_found_as(rows, column))).to_pylist()
    return found


def _found_as(rows: pa.Table, column: str) -> pa.ChunkedArray:
    texts = rows.column(column).cast(pa.string())
    return pc.ascii_lower(texts) if column == "email" else texts


def _is_plain(columns: Sequence[str]) -> bool:
    """Return whether a record itself has the value, in one column."""
    return len(columns) == 1 and columns[0] not in _OWN


def _columns(table: str) -> tuple[str, ...]:
    return (*columns_to_read(table), "version_id")


def _added(known: pa.Table, found: pa.Table) -> pa.Table:
    """Return the versions in `known`, and those that were found besides, each once."""
    if not found.num_rows:
        return known
    versions = found.column("version_id").to_numpy()
    _, first = np.unique(versions, return_index=True)
    once = found.take(pa.array(first))
    new = pc.invert(pc.is_in(once.column("version_id"), value_set=known.column("version_id")))
    return pa.concat_tables([known, once.filter(new)])
