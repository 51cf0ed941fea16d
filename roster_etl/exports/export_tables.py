"""The roster while it is turned into an export: canonical tables that rules narrow and rewrite, with every loss counted.

Every row keeps ``_n``, its place in the table as it was read.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.references import ID_COLUMNS
from roster_etl.canonical.roster import TABLES
from roster_etl.exports.arrays import (
    Array,
    Mask,
    choose,
    column,
    compound,
    constant,
    equals,
    first_of,
    is_in,
    keys_of,
    mask,
    memory_place,
    nulls,
    positions,
    present,
    same,
    same_memory,
    with_columns,
)
from roster_etl.exports.losses import Losses, LossKind, Reason

ROW = "_n"
_USER = ("user_kind", "user_id")
_MADE_UP: tuple[Reason, ...] = ("missing_required", "synthetic", "name_split")

# Columns that must have a value for their record to be said: without the parent the record goes too. Others become empty.
_PARENTS: tuple[tuple[str, tuple[str, ...], str, tuple[str, ...]], ...] = (
    ("courses", ("organization_id",), "organizations", ("organization_id",)),
    ("sections", ("course_id",), "courses", ("course_id",)),
    ("sections", ("organization_id",), "organizations", ("organization_id",)),
    ("enrollments", ("section_id",), "sections", ("section_id",)),
    ("enrollments", ("course_id",), "courses", ("course_id",)),
    ("enrollments", ("user_kind", "user_id"), "users", ("user_kind", "user_id")),
    ("enrollments", ("user_kind", "associated_user_id"), "users", ("user_kind", "user_id")),
    ("user_roles", ("user_kind", "user_id"), "users", ("user_kind", "user_id")),
    ("user_roles", ("organization_id",), "organizations", ("organization_id",)),
    ("student_profiles", ("user_kind", "user_id"), "users", ("user_kind", "user_id")),
    ("contacts", ("user_kind", "user_id"), "users", ("user_kind", "user_id")),
    ("user_identifiers", ("user_kind", "user_id"), "users", ("user_kind", "user_id")),
    ("section_terms", ("section_id",), "sections", ("section_id",)),
    ("section_terms", ("term_id",), "terms", ("term_id",)),
    ("term_dates", ("term_id",), "terms", ("term_id",)),
    ("logins", ("user_kind", "user_id"), "users", ("user_kind", "user_id")),
    ("observers", ("observer_id",), "users", ("user_id",)),
    ("observers", ("student_id",), "users", ("user_id",)),
    ("group_memberships", ("user_id",), "users", ("user_id",)),
    ("group_memberships", ("group_id",), "groups", ("group_id",)),
    ("groups", ("group_category_id",), "group_categories", ("group_category_id",)),
    ("attendance", ("user_id",), "users", ("user_id",)),
)
_LINKS: tuple[tuple[str, tuple[str, ...], str, tuple[str, ...]], ...] = (
    ("organizations", ("parent_organization_id",), "organizations", ("organization_id",)),
    ("terms", ("parent_term_id",), "terms", ("term_id",)),
    ("courses", ("term_id",), "terms", ("term_id",)),
    ("courses", ("blueprint_course_id",), "courses", ("course_id",)),
    ("sections", ("term_id",), "terms", ("term_id",)),
    ("sections", ("home_course_id",), "courses", ("course_id",)),
    ("enrollments", ("organization_id",), "organizations", ("organization_id",)),
    ("users", ("primary_organization_id",), "organizations", ("organization_id",)),
    ("contacts", ("user_kind", "contact_user_id"), "users", ("user_kind", "user_id")),
    ("user_roles", ("user_kind", "login_user_id"), "logins", ("user_kind", "login_user_id")),
    ("groups", ("organization_id",), "organizations", ("organization_id",)),
    ("groups", ("course_id",), "courses", ("course_id",)),
    ("group_categories", ("organization_id",), "organizations", ("organization_id",)),
    ("group_categories", ("course_id",), "courses", ("course_id",)),
)


class ColumnStore(Protocol):
    """Where large columns are while nobody reads them."""

    def keep(self, table: pa.Table) -> pa.Table:
        """Return the same table, its large columns out of memory."""

    def each(self, table: pa.Table, make: Callable[[Array], Array], size: int) -> pa.Table:
        """Return a table of what `make` makes of each column, `size` values each; nulls alone stay such."""

    def release(self) -> None:
        """Give back the memory of all columns that were read."""


class InMemory:
    """Leaves columns where they are."""

    def keep(self, table: pa.Table) -> pa.Table:
        """See ``ColumnStore``."""
        return table.combine_chunks()

    def each(self, table: pa.Table, make: Callable[[Array], Array], size: int) -> pa.Table:
        """See ``ColumnStore``."""
        del size
        return pa.table([make(column(table, name)) for name in table.column_names], schema=table.schema)

    def release(self) -> None:
        """See ``ColumnStore``."""


@dataclass
class ExportTables:
    """One export under way.

    ``tables``: canonical tables by name, business columns, ``derived``, ``extensions`` and ROW. ``moment``: as of when.
    ``options``: those of the format, parsed. ``homes``, ``held``: the tables, and the columns,
    that the format has a place for; what changes in others is counted once, as left out.
    ``store``: where tables are that no rule is at work on. ``extension_prefixes``: of the extra columns that the format lets through.
    """

    tables: dict[str, pa.Table]
    district_id: str
    district_name: str
    zone: str
    moment: datetime
    options: Mapping[str, Any]
    losses: Losses = field(default_factory=Losses)
    homes: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()
    store: ColumnStore = field(default_factory=InMemory)
    extension_prefixes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.unheld: dict[str, pa.Table] = {}
        self.written: dict[str, Array] = {}  # table → which of its rows, as ROW, its file has, in the order of the file
        self._settled: dict[str, pa.Table] = {}
        self._attached: dict[tuple[str, tuple[str, ...], str], list[Array]] = {}  # columns of references without a dangling one
        self._extra: dict[str, _ExtraColumns] = {}
        self.reset_row_numbers()

    def reset_row_numbers(self) -> None:
        """Take the tables as they are for the roster that is to be said: every row gets its place in them."""
        for name, table in self.tables.items():
            places = pa.array(np.arange(table.num_rows), pa.int64())
            self.tables[name] = self.store.keep(with_columns(table, **{ROW: places}))
        self.original = dict(self.tables)
        self.store.release()

    def settle(self) -> None:
        """Put what was changed into the store; call it when a rule has ended."""
        moved: dict[object, Array] = {}
        for name, table in self.tables.items():
            if table is not self._settled.get(name):
                self.tables[name] = self._settled[name] = kept = self.store.keep(table)
                moved |= {memory_place(column(table, name)): column(kept, name) for name in _single_chunks(table)}
        for cells in self._attached.values():
            cells[:] = [moved.get(memory_place(values), values) for values in cells]
        del moved
        self.store.release()

    # ---- reading

    def table(self, name: str) -> pa.Table:
        """Return a table; without rows if the roster has none of that name."""
        if name not in self.tables:
            spec = TABLES.get(name)
            schema = spec.arrow_schema if spec else pa.schema([])
            self.tables[name] = schema.append(pa.field(ROW, pa.int64())).empty_table()
        return self.tables[name]

    def col(self, table: str, name: str) -> Array:
        """Return a column of a table; nulls if the roster's version does not have it."""
        found = self.table(table)
        return column(found, name) if name in found.column_names else nulls(found.num_rows)

    def user_keys(self, table: str, id_column: str = "user_id") -> Array:
        """Return the identity of the user of each row: kind and id."""
        found = self.table(table)
        return keys_of(found, ("user_kind", id_column))

    def is_derived(self, table: str, name: str) -> Mask:
        """Return which cells of a column were derived, not given."""
        if "derived" not in self.table(table).column_names:
            return np.zeros(self.table(table).num_rows, dtype=bool)
        found = pc.fill_null(pc.match_substring(self.col(table, "derived"), f'"{name}"'), False)
        return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)

    # ---- rows

    def keep(self, table: str, keep: Mask, reason: Reason, *, kind: LossKind = "row_left_out", file: str | None = None) -> None:
        """Keep only some rows of a table, and count the others."""
        gone = int((~keep).sum())
        if gone:
            self.losses.add(kind, reason, gone, table=table, file=file)
            self.tables[table] = self.rows(self.table(table), keep)

    def keep_first(self, table: str, key: tuple[str, ...], made: pa.Table | None = None) -> None:
        """Keep the first of the rows with one key, and count the others. ``made``: the rows, if they replace those of the table."""
        rows = self.table(table) if made is None else made
        first = first_of(rows, key)
        self.tables[table] = rows if first.all() else self.rows(rows, first)
        self.losses.add("rows_joined", "several_values", int((~first).sum()), table=table)

    def rows(self, table: pa.Table, keep: Mask) -> pa.Table:
        """Return some rows of a table, in the store."""
        which = pa.array(keep)
        return self.store.each(table, lambda values: values.filter(which), int(keep.sum()))

    def take(self, table: pa.Table, places: Array) -> pa.Table:
        """Return the rows of a table at `places`, in the store."""
        return self.store.each(table, lambda values: values.take(places), len(places))

    def add_rows(self, table: str, made: Mapping[str, Array], size: int) -> None:
        """Add records; columns that are not in `made` are null."""
        rows = self.table(table)
        columns = [made.get(field.name, pa.nulls(size, field.type)) for field in rows.schema]
        self.tables[table] = self.store.keep(pa.concat_tables([rows, pa.table(columns, schema=rows.schema)]))

    def add_row(self, table: str, values: Mapping[str, object]) -> None:
        """Add one record; columns that are not in `values` are null."""
        schema = self.table(table).schema
        self.add_rows(table, {name: pa.array([value], schema.field(name).type) for name, value in values.items()}, 1)

    def cascade(self, reason: Reason = "parent_left_out") -> None:
        """Leave out records whose parent was left out, and empty links to records that were."""
        self.settle()  # so that columns stay where they are, and need not be looked at again
        for table, columns, parent, parent_columns in _PARENTS:
            if self._has(table, columns) and (dangling := self._dangling(table, columns, parent, parent_columns)).any():
                self.keep(table, ~dangling, reason)
        for table, columns, parent, parent_columns in _LINKS:
            if self._has(table, columns) and (dangling := self._dangling(table, columns, parent, parent_columns)).any():
                if self.held and f"{table}.{columns[-1]}" not in self.held:
                    continue  # it has no home anyway, and is counted as such
                emptied = choose(dangling, nulls(len(dangling)), self.col(table, columns[-1]))
                self.change(table, columns[-1], emptied, reason)

    def _has(self, table: str, columns: tuple[str, ...]) -> bool:
        return table in self.tables and table in self.homes and set(columns) <= set(self.tables[table].column_names)

    def _dangling(self, table: str, columns: tuple[str, ...], parent: str, parent_columns: tuple[str, ...]) -> Mask:
        """Return which rows refer to a parent that was there, and is no more."""
        cells = [self.col(table, name) for name in columns]
        parents = [self.col(parent, name) for name in parent_columns]
        place = (table, columns, parent)
        if parent not in self.original or same_memory(self._attached.get(place, ()), [*cells, *parents]):
            return np.zeros(self.table(table).num_rows, dtype=bool)
        dangling = present(cells[-1])
        if dangling.any():
            dangling &= ~is_in(compound(*cells), compound(*parents))
        if not dangling.any():
            self._attached[place] = [*cells, *parents]
        return dangling

    # ---- cells

    def change(
        self, table: str, name: str, values: Array, reason: Reason, *, file: str | None = None, count: bool = True
    ) -> None:
        """Replace a column, and count each cell that differs: made up where it was empty, changed elsewhere."""
        before = self.col(table, name)
        differs = ~same(before, values)
        if differs.any():
            given = present(before)
            if count and (not self.held or name == "user_kind" or f"{table}.{name}" in self.held):
                made = reason if reason in _MADE_UP else "missing_required"
                self.losses.add("value_changed", reason, (differs & given).sum(), table=table, column=name, file=file)
                self.losses.add("value_made_up", made, (differs & ~given).sum(), table=table, column=name, file=file)
            self.tables[table] = with_columns(self.table(table), **{name: values})

    def fill(self, table: str, name: str, *fallbacks: Array, reason: Reason = "missing_required") -> None:
        """Fill empty cells of a column from `fallbacks`, the first that has a value counts; each is counted as made up."""
        values = self.col(table, name)
        for fallback in fallbacks:
            values = pc.coalesce(values, fallback)
        self.change(table, name, values, reason)

    def rename_ids(self, entity: str, old: Array, new: Array, reason: Reason, *, count: bool = True) -> None:
        """Replace ids of records of `entity` in all columns that hold them."""
        differs = ~same(old, new)
        if not differs.any():
            return
        keys, values = old.filter(pa.array(differs)), new.filter(pa.array(differs))
        for table, name in ID_COLUMNS[entity]:
            if table in self.tables and name in self.tables[table].column_names:
                before = self.col(table, name)
                found = positions(before, keys)
                self.change(table, name, choose(present(found), values.take(found), before), reason, count=count)

    def name_kinds(self) -> None:
        """Write the ids of users as kind and id, in all columns that hold them; without a kind beside it, the first kind that has the id."""
        attached, there = self._attached_to_users(), self._users_there()
        kinds, ids = self.col("users", "user_kind"), self.col("users", "user_id")
        for table, name in ID_COLUMNS["users"]:
            if table not in self.tables or name not in self.tables[table].column_names:
                continue
            before = self.col(table, name)
            if "user_kind" in self.tables[table].column_names:
                own = self.col(table, "user_kind")
                known = there[table, name]
            else:
                own, known = nulls(len(before)), is_in(before, ids)
                for kind in pc.unique(kinds).to_pylist():
                    mine = is_in(before, ids.filter(pa.array(equals(kinds, kind)))) & ~present(own)
                    own = choose(mine, constant(kind, len(before)), own)
            said = pc.binary_join_element_wise(own, before, "-")
            self.change(table, name, said if known.all() else choose(known, said, before), "id_not_allowed")
        self._still_attached(attached)

    def set_user_kinds(self, kinds: Array) -> None:
        """Set the kind of every user, here and in all tables that refer to it; each cell that changes is counted."""
        attached = self._attached_to_users()
        keys, kind = self.user_keys("users"), pc.unique(kinds)
        for table in [name for name in self.tables if name != "users" and "user_kind" in self.tables[name].column_names]:
            before = self.col(table, "user_kind")
            if len(kind) == 1 and table in attached and present(self.col(table, "user_id")).all():
                said = constant(kind[0].as_py(), len(before))
            else:
                said = pc.coalesce(kinds.take(positions(self.user_keys(table, "user_id"), keys)), before)
            self.change(table, "user_kind", said, "coarser_code")
        self.change("users", "user_kind", kinds, "coarser_code")
        self._still_attached(attached)

    def _attached_to_users(self) -> list[str]:
        """Return the tables with users of which each is there."""
        tables = [name for name in self.tables if name != "users" and {*_USER} <= {*self.tables[name].column_names}]
        there = "users" in self.original
        return [name for name in tables if there and not self._dangling(name, _USER, "users", _USER).any()]

    def _users_there(self) -> dict[tuple[str, str], Mask]:
        """Return for each column of users with their kind beside it which cells name one that is there."""
        found = {}
        for table, name in ID_COLUMNS["users"]:
            if {"user_kind", name} <= {*self.table(table).column_names}:
                there = present(self.col(table, name))
                itself = (table, name) == ("users", "user_id")
                found[table, name] = there if itself else there & ~self._dangling(table, ("user_kind", name), "users", _USER)
        return found

    def _still_attached(self, tables: Iterable[str]) -> None:
        """Note that each user of `tables` is there, as before users were given other ids or kinds in all tables."""
        for table in tables:
            self._attached[table, _USER, "users"] = [self.col(name, key) for name in (table, "users") for key in _USER]

    # ---- extensions

    def extension_names(self, table: str, prefix: str | None = None) -> list[str]:
        """Return the names of the extra columns that begin with `prefix` (None: that the format lets through), in alphabetical order."""
        wanted = self.extension_prefixes.get(table, "") if prefix is None else prefix
        if (not wanted and prefix is None) or not may_name(self.col(table, "extensions"), wanted).any():
            return []
        return sorted(name for name in self._extra_columns(table).names if name.casefold().startswith(wanted))

    def extension(self, table: str, name: str) -> Array:
        """Return the values of one extra column."""
        cells = self.col(table, "extensions")
        return self._extra_columns(table).values(name) if may_name(cells, name).any() else nulls(len(cells))

    def _extra_columns(self, table: str) -> _ExtraColumns:
        """Return the extra columns of a table: its cells are parsed once, as long as they are the same ones."""
        cells = self.col(table, "extensions")
        known = self._extra.get(table)
        if known is None or not same_memory([known.cells], [cells]):
            known = self._extra[table] = _ExtraColumns(cells)
        return known


class _ExtraColumns:
    """The values in a column of JSON objects, by name; each different cell is parsed once."""

    def __init__(self, cells: Array) -> None:
        self.cells = cells
        encoded = cells.dictionary_encode()
        self._places, self._different = encoded.indices, len(encoded.dictionary)
        found: dict[str, tuple[array[int], list[Any]]] = {}
        for place, cell in enumerate(encoded.dictionary):
            for name, value in json.loads(cell.as_py()).items():
                places, values = found.setdefault(name, (array("q"), []))
                places.append(place)
                values.append(value)
        self._by_name = {name: (places, _compact(values)) for name, (places, values) in found.items()}

    @property
    def names(self) -> Iterable[str]:
        """The names that some object has."""
        return self._by_name

    def values(self, name: str) -> Array:
        """Return the value of each row; null where its object has none of that name."""
        if name not in self._by_name:
            return nulls(len(self.cells))
        places, values = self._by_name[name][0], pa.array(self._by_name[name][1], pa.string())
        at = np.full(self._different, -1)
        at[np.frombuffer(places, dtype=np.int64)] = np.arange(len(values))
        return values.take(pa.array(at, mask=at < 0)).take(self._places)


def _compact(values: list[Any]) -> Array | list[Any]:
    """Return values as an array of text; as they are, where some are none."""
    return pa.array(values, pa.string()) if all(isinstance(value, str) for value in values) else values


def _single_chunks(table: pa.Table) -> list[str]:
    return [name for name in table.column_names if table.column(name).num_chunks == 1]


_PLAIN_NAME = re.compile(r"[0-9A-Za-z._ -]+")


def may_name(cells: Array, name: str) -> Mask:
    """Return which JSON objects may have a name that begins with `name`, in any case."""
    if cells.null_count == len(cells):
        return np.zeros(len(cells), dtype=bool)
    if not _PLAIN_NAME.fullmatch(name):
        return present(cells)  # it may be written with escapes
    return mask(pc.match_substring(cells, f'"{name}', ignore_case=True))
