"""Files and columns of a format, as the vendor's document states them.

Belongs here: names, requirements, keys and references. Vendor spelling is kept, so that messages match the district's files.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from roster_etl.spec.field_rules import (
    CellFormat,
    CompositeReference,
    NotBefore,
    ReferencedRecordType,
    RequireAnyOf,
    RowRule,
    Text,
    WithinPeriods,
)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The value must be found in ``column`` of ``file`` (of the same upload), or be one of ``also``.

    ``disambiguated_by``: pairs of (own column, column of ``file``). Where several records of ``file`` claim one id, equal cells in these
    columns tell which of them is meant; without such a pair, or with other cells, the reference is ambiguous.
    """

    file: str = field(kw_only=False)
    column: str = field(kw_only=False)
    also: tuple[str, ...] = ()
    disambiguated_by: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Unique:
    """A value identifies one record: rows with the same value must agree in ``per`` (default: the file's key)."""

    per: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RowCondition:
    """The rows whose ``column`` has one of ``values``, compared without regard to case."""

    column: str
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(f"RowCondition: values of {self.column} must not be empty")


@dataclass(frozen=True, kw_only=True)
class CrossFeedMatch:
    """The value should exist in another feed of the district, as ``column`` of the canonical ``table``; otherwise a warning.

    ``option``: the option of the format that names the other feed's format; if that is empty, nothing is compared.
    """

    table: str
    column: str
    option: str


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a vendor file.

    An invalid or empty cell of a required column rejects its row. An invalid cell of any other column is left empty, with a
    warning, and the row applies.

    - ``required_where``: the header needs the column; its cells are required in these rows only
    - ``has_default``: the header needs the column; the mapping has a value for an empty cell
    - ``strict``: the column may be empty, but an invalid cell rejects its row
    - ``secret``: the column is blanked before anything is stored
    - ``sticky``: the document says that manual edits outlast uploads
    - ``purge_with_person``: holds the id of a person; the record is deleted when that person is purged
    - ``header_optional``: even a strict upload may lack the column, because publications of the document differ
    - ``misspellings``: spellings of the header that the document does not have; read, with a ``column_alias`` warning
    """

    name: str = field(kw_only=False)
    required: bool = False
    strict: bool = False
    required_where: RowCondition | None = None
    has_default: bool = False
    cell_format: CellFormat = field(default_factory=Text)
    references: Reference | None = None
    unique: Unique | None = None
    matches: CrossFeedMatch | None = None
    secret: bool = False
    sticky: bool = False
    aliases: tuple[str, ...] = ()
    misspellings: tuple[str, ...] = ()
    header_optional: bool = False
    purge_with_person: bool = False
    optional_if_option: str | None = None  # a switch option of the format that makes a required column optional
    allowed_values_option: str | None = None  # a table option with the known values; others give a warning
    unmapped: str = ""  # why no mapping reads this column
    note: str = ""

    def __post_init__(self) -> None:
        if not self.name or self.name != self.name.strip():
            raise ValueError(f"Column: {self.name!r} must be a header without surrounding white space")
        if self.secret and (self.required or self.references or self.unique):
            raise ValueError(
                f"Column {self.name}: a secret column is never read, so it cannot have required, references or unique"
            )
        if self.optional_if_option and not self.required:
            raise ValueError(f"Column {self.name}: optional_if_option applies only to a column with required=True")
        if (self.required_where or self.has_default) and (not self.required or self.optional_if_option):
            raise ValueError(
                f"Column {self.name}: required_where and has_default apply only to a column with required=True and without optional_if_option"
            )
        if self.required_where and self.has_default:
            raise ValueError(f"Column {self.name}: required_where and has_default contradict each other")

    @property
    def optional_cells(self) -> bool:
        """Whether a row may apply without a value in this column."""
        return not self.required or any((self.optional_if_option, self.required_where, self.has_default))


@dataclass(frozen=True, kw_only=True)
class Family:
    """Numbered columns of one kind, such as ``Teacher_{n}_id`` for n = 2 … 10. ``last`` None: unbounded."""

    pattern: str = field(kw_only=False)
    first: int
    last: int | None
    cell_format: CellFormat = field(default_factory=Text)
    references: Reference | None = None
    unmapped: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if self.pattern.count("{n}") != 1:
            raise ValueError(f"Family: pattern {self.pattern!r} must contain {{n}} once")
        if self.last is not None and self.last < self.first:
            raise ValueError(f"Family {self.pattern}: last {self.last} is below first {self.first}")

    def column(self, n: int) -> Column:
        """Return the member of this family with number ``n``."""
        return Column(
            self.pattern.replace("{n}", str(n)), cell_format=self.cell_format, references=self.references, note=self.note
        )


@dataclass(frozen=True, kw_only=True)
class SharedIds:
    """Another file of the same upload whose rows describe the same records under the same ids.

    ``columns``: pairs of (column of the identity or its key, column of ``file``). ``first``: of an id that the roster does not know, the
    rows of ``file`` stand before those of this file. Each of the two files names the other one, one of them as the first.
    """

    file: str
    columns: tuple[tuple[str, str], ...]
    first: bool = False


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Columns that identify a record: rows with the same ``key`` (default: the file's key) must not have different values in them.

    Empty cells conflict with nothing; case and accents do not count. A row that conflicts with the accepted row describes another
    record. A row of changes does so if it conflicts in the first of ``columns`` and in another one, because changes may rename a
    record. ``shared``: see `SharedIds`.
    """

    columns: tuple[str, ...]
    key: tuple[str, ...] = ()
    shared: SharedIds | None = None

    def __post_init__(self) -> None:
        if not self.columns:
            raise ValueError("Identity: columns must not be empty")
        if self.shared and {own for own, _ in self.shared.columns} != {*self.columns, *self.key}:
            raise ValueError("Identity: shared must map each column, and the whole key")


@dataclass(frozen=True, kw_only=True)
class RepeatedRows:
    """Several rows with one key are allowed where each further row has a value of its own in ``columns`` or ``first_counts``.

    Of ``columns`` each row's value counts. In all others the first row counts, with a warning; in those of ``first_counts`` too.
    """

    columns: tuple[str, ...]
    first_counts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RowChanges:
    """An upload may hold changes of a file instead of the whole file: rows that replace, by the file's key, what was there.

    Rows of changes need ``status`` and ``modified``, the time at which the row was changed: of several rows of a record the newest
    counts. In a whole file both columns are ignored, except that ``File.deleted`` holds.
    """

    status: str
    modified: str


@dataclass(frozen=True, kw_only=True)
class HeaderPattern:
    """Headers that identify a kind of file: all of ``all_of``, one of each group of ``any_of``, none of ``none_of``."""

    all_of: tuple[str, ...] = ()
    any_of: tuple[tuple[str, ...], ...] = ()
    none_of: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (self.all_of or self.any_of):
            raise ValueError("HeaderPattern: all_of and any_of must not both be empty")

    def fits(self, headers: Collection[str]) -> bool:
        """Return whether `headers`, trimmed and in lower case, match this signature."""
        there = headers.__contains__
        return (
            all(map(there, self.all_of))
            and all(any(map(there, group)) for group in self.any_of)
            and not any(map(there, self.none_of))
        )


@dataclass(frozen=True, kw_only=True)
class File:
    """One CSV file of a format.

    - ``key``: the columns that identify a record
    - ``extensions``: header prefixes of further accepted columns (``ext.``)
    - ``repeats``: see `RepeatedRows`; without it, a second row with a known key is rejected
    - ``identity``: see `Identity`; ``parts``: identities of further records in a row, such as a contact
    - ``ordered_changes``: rows are changes that apply one after the other, so that several may have one key
    - ``recognised_by``: headers that identify the file, in formats where its name does not
    - ``other_column_orders``: in a format with a fixed order of columns, further published orders besides that of ``columns``
    - ``carried_forward``: uploaded once; an upload without the file uses the newest one that the feed has published
    - ``record_groups``: groups of optional columns that form a record of their own, such as a contact; if all its cells are
      invalid, the current record is kept
    - ``deleted``: the rows whose record is deleted
    - ``exact_case``: headers and codes are compared with regard to case; other spellings are ``wrong_case``
    - ``changes``: see `RowChanges`
    - ``ignored_columns``: columns of other versions of the format, which are ignored
    - ``misspelled_names``: further names of the file, seen in practice
    """

    name: str
    file_name: str = ""  # by default the name, with .csv
    title: str
    source: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    required: bool = True
    families: tuple[Family, ...] = ()
    extensions: tuple[str, ...] = ()
    repeats: RepeatedRows | None = None
    identity: Identity | None = None
    parts: tuple[Identity, ...] = ()
    ordered_changes: bool = False
    recognised_by: HeaderPattern | None = None
    deleted: RowCondition | None = None
    rules: tuple[RowRule, ...] = ()
    deprecated: bool = False
    carried_forward: bool = False
    other_column_orders: tuple[tuple[str, ...], ...] = ()
    record_groups: tuple[tuple[str, ...], ...] = ()
    exact_case: bool = False
    changes: RowChanges | None = None
    ignored_columns: tuple[str, ...] = ()
    misspelled_names: tuple[str, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "file_name", self.file_name or f"{self.name}.csv")
        names = [s.casefold() for c in self.columns for s in (c.name, *c.aliases, *c.misspellings)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"File {self.name}: headers declared twice: {', '.join(twice)}")
        known = {column.name for column in self.columns}
        named = {*self.key, *(name for group in self.record_groups for name in group)}
        named |= {*self.repeats.columns, *self.repeats.first_counts} if self.repeats else set()
        identities = (*((self.identity,) if self.identity else ()), *self.parts)
        named |= {name for identity in identities for name in (*identity.columns, *identity.key)}
        named |= {self.changes.status, self.changes.modified} if self.changes else set()
        named |= {own for reference in self.references() for own, _ in reference.disambiguated_by}
        named |= {where.column for where in (self.deleted, *(c.required_where for c in self.columns)) if where}
        for rule in self.rules:
            named |= _rule_columns(rule)
        if named - known:
            raise ValueError(f"File {self.name}: unknown columns {', '.join(sorted(named - known))}")
        if not self.key:
            raise ValueError(f"File {self.name}: key must not be empty")
        if self.ordered_changes and (self.repeats or identities):
            raise ValueError(
                f"File {self.name}: ordered_changes excludes repeats and identity: rows that apply in order are changes"
            )
        if any(sorted(order) != sorted(known) for order in self.other_column_orders):
            raise ValueError(f"File {self.name}: each of other_column_orders must name every column once")
        if self.carried_forward and self.required:
            raise ValueError(f"File {self.name}: a file that is carried_forward cannot be required of every upload")

    @property
    def identity_key(self) -> tuple[str, ...]:
        """The columns of the key under which ``identity`` compares rows."""
        return (self.identity.key if self.identity else ()) or self.key

    def lookups(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return the lookups into other files: (file, the columns whose values are looked up together)."""
        single = [(reference.file, (reference.column,)) for reference in self.references()]
        together = [(rule.file, rule.other_columns) for rule in self.rules if isinstance(rule, CompositeReference)]
        types: list[tuple[str, tuple[str, ...]]] = [
            (rule.file, (rule.key, rule.type_column)) for rule in self.rules if isinstance(rule, ReferencedRecordType)
        ]
        periods = [rule for rule in self.rules if isinstance(rule, WithinPeriods)]
        through: list[tuple[str, tuple[str, ...]]] = [(rule.file, (rule.key, rule.periods)) for rule in periods]
        through += [(rule.period_file, (rule.period_key, rule.start, rule.finish)) for rule in periods]
        shared = self.identity.shared if self.identity else None
        before = [(shared.file, tuple(there for _, there in shared.columns))] if shared and shared.first else []
        return tuple(dict.fromkeys([*single, *together, *types, *through, *before]))

    def references(self) -> tuple[Reference, ...]:
        """Return the references of the file's columns, including those of numbered columns."""
        declared: tuple[Column | Family, ...] = (*self.columns, *self.families)
        return tuple(column.references for column in declared if column.references)

    def column(self, name: str) -> Column:
        """Return the declared column ``name`` (vendor spelling). Raises KeyError."""
        return next((c for c in self.columns if c.name == name), None) or _raise_no_column(self, name)


def _rule_columns(rule: RowRule) -> set[str]:
    match rule:
        case NotBefore(column=column, other=other):
            return {column, other}
        case RequireAnyOf(columns=columns, unless=unless):
            return {*columns, *unless}
        case _:
            return set(rule.columns)


def _raise_no_column(file: File, name: str) -> Column:
    raise KeyError(f"{file.name} has no column {name}")
