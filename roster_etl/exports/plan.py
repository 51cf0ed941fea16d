"""How an export is declared: files, their columns, and the rules before them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pyarrow as pa

from roster_etl.canonical.roster import TABLES
from roster_etl.exports.arrays import Array
from roster_etl.exports.export_tables import ExportTables
from roster_etl.spec import Option

PERSON_ID = "person_id"
PERSON_ID_OPTION = Option(
    PERSON_ID,
    default="false",
    kind="switch",
    meaning="Add a column to people: who each is across feeds, IDs and school years.",
)
"""An option of formats that allow columns of one's own: `ExportFormat.person_column` names the column."""
Rule = Callable[["ExportTables"], None]
Rows = Callable[["ExportTables"], "pa.Table"]
Form = Literal[
    "text", "us_date", "iso_date", "us_first_day", "us_last_day", "iso_first_day", "iso_end_day", "iso_last_day", "instant",
    "Y/N", "true/false", "True/False", "TRUE/FALSE", "empty",
]  # fmt: skip


def table_columns(table: str, *columns: str) -> tuple[str, ...]:
    """Return columns of a canonical table as ``table.column``."""
    return tuple(f"{table}.{column}" for column in columns)


@dataclass(frozen=True, kw_only=True)
class OutColumn:
    """One column of a file.

    - ``value``: the column of the rows that it writes; ``table.column`` names a canonical one
    - ``const``: the same text in every row, in place of a value
    - ``holds``: the canonical columns that come back from it; by default ``value``
    - ``form``: how a value is written; ``codes``: canonical code → word of the format, others are left empty
    - ``required``: a row without it is left out, and the canonical column cannot be left out by the caller
    - ``optional``: the column is written only where some row has a value
    """

    name: str = field(kw_only=False)
    value: str = field(kw_only=False, default="")
    const: str = ""
    holds: tuple[str, ...] = ()
    form: Form = "text"
    codes: Mapping[str, str] | None = None
    required: bool = False
    optional: bool = False

    @property
    def canonical_columns(self) -> tuple[str, ...]:
        """The canonical columns that come back from this one, as ``table.column``."""
        if self.holds:
            return self.holds
        table, _, column = self.value.partition(".")
        return (self.value,) if table in TABLES and column else ()


@dataclass(frozen=True, kw_only=True)
class OutFile:
    """One file.

    - ``table``: whose records it has; ``rows``: makes its rows, by default those of the table
    - ``key``: columns of the rows, by which they are ordered; by default the key of the table
    - ``columns_of``: makes further columns from the data: families, extra columns
    - ``identity``: the columns of the file that tell its records apart, for deltas; empty: the file is written whole in a delta, too
    - ``extensions``: the prefix of extra columns that are written as they are; ``said_extensions``: those that columns of the file say
    - ``when``: ``always``: a file without rows has its header; ``rows``: it is not written; ``option:NAME``: only with that option
    """

    name: str = field(kw_only=False)
    table: str
    columns: tuple[OutColumn, ...]
    rows: Rows | None = None
    key: tuple[str, ...] = ()
    columns_of: Callable[[ExportTables, pa.Table], tuple[OutColumn, ...]] | None = None
    when: str = "always"
    extensions: str = ""
    said_extensions: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", self.key or table_columns(self.table, *TABLES[self.table].key))


@dataclass(frozen=True, kw_only=True)
class RenameFile:
    """The file of a delta that gives records another id.

    ``columns``: the id before, the id now, the type; ``words``: table → type; ``files``: table → the file that has the records.
    """

    name: str = field(kw_only=False)
    columns: tuple[str, str, str]
    words: Mapping[str, str]
    files: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One file of JSON Lines: ``records`` makes its objects, one after the other, in the order of their keys; ``key``: what tells them apart."""

    name: str = field(kw_only=False)
    records: Callable[[ExportTables], Iterator[dict[str, Any]]]
    key: tuple[str, ...]
    holds: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ExportFormat:
    """An export format.

    - ``rules``: narrow and rewrite the canonical tables until they are what the files say
    - ``also_holds``: canonical columns that come back without a column of their own, such as ids that are derived again
    - ``needs``: tables and columns that cannot be left out, besides those of required columns
    - ``delta``: how changes are said; None: the format knows none; ``renames``: how a delta says that an id changed
    - ``vendor``: the format whose reader reads it back
    - ``kind``: ``csv``, ``jsonl`` or ``tables``
    - ``by_option``: other files where an option has a value
    - ``manifest``: makes a last file of what the others are: from their rows, and whether they are a delta, its name and cells
    """

    name: str
    title: str
    files: tuple[OutFile, ...] = ()
    resources: tuple[Resource, ...] = ()
    rules: tuple[Rule, ...] = ()
    options: tuple[Option, ...] = ()
    also_holds: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    delta: Literal["oneroster", "canvas"] | None = None
    renames: RenameFile | None = None
    vendor: str | None = None
    kind: Literal["csv", "jsonl", "tables"] = "csv"
    newline: str = "\r\n"
    by_option: Mapping[tuple[str, str], tuple[OutFile, ...]] = field(default_factory=dict)
    manifest: Callable[[ExportTables, Mapping[str, int], bool], tuple[str, Mapping[str, Array]]] | None = None

    def with_options(self, options: Mapping[str, Any]) -> ExportFormat:
        """Return the format with the files that the values of its options choose."""
        for (name, value), files in self.by_option.items():
            if options.get(name) == value:
                return replace(self, files=files, by_option={})
        return self

    @property
    def person_column(self) -> str:
        """The column for the person across feeds, in the files of users; empty: the format allows no columns of one's own."""
        prefix = next((file.extensions for file in self.files if file.table == "users" and file.extensions), "")
        return f"{prefix}roster_etl.{PERSON_ID}" if prefix else ""

    def held_columns(self) -> frozenset[str]:
        """Return the canonical columns that have a home, as ``table.column``."""
        columns = (column for file in self.files for column in file.columns)
        extra = {f"{file.table}.extensions" for file in self.files if file.extensions}
        of_resources = (name for resource in self.resources for name in resource.holds)
        return frozenset({*(home for out in columns for home in out.canonical_columns), *self.also_holds, *of_resources, *extra})

    def held_tables(self) -> frozenset[str]:
        """Return the canonical tables that have a home."""
        return frozenset(name.partition(".")[0] for name in self.held_columns())

    def needed_columns(self) -> frozenset[str]:
        """Return the canonical columns and tables that cannot be left out."""
        outs = [(file, out) for file in self.files for out in file.columns if out.required]
        homes = {home for _, out in outs for home in out.canonical_columns}
        keys = {f"{table}.{key}" for table in self.held_tables() for key in TABLES[table].key} if self.kind != "tables" else set()
        return frozenset({*homes, *keys, *self.needs, *(name.partition(".")[0] for name in {*homes, *self.needs})})
