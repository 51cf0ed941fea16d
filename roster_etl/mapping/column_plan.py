"""Types of a column plan, "target column ← source columns, by this function", which is also the lineage.

A function receives only the columns that its plan declares, so undeclared reads are impossible.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from roster_etl.spec import RowCondition

Function = Callable[..., pd.Series]


@dataclass(frozen=True, init=False)
class From:
    """The value of one source column, or ``via`` of several.

    ``derived``: the value is computed, not given in the upload. ``option``: the name of a district option whose value is passed
    to ``via`` after the series.
    """

    sources: tuple[str, ...]
    via: Function | None
    option: str | None
    derived: bool

    def __init__(self, *sources: str, via: Function | None = None, option: str | None = None, derived: bool = False) -> None:
        if not sources or (via is None and (len(sources) > 1 or option)):
            raise ValueError("From: name one column, or several with the function that joins them")
        object.__setattr__(self, "sources", sources)
        object.__setattr__(self, "via", via)
        object.__setattr__(self, "option", option)
        object.__setattr__(self, "derived", derived)


@dataclass(frozen=True, init=False)
class FromTargets:
    """``via`` of target columns that come earlier in the same mapping; always derived."""

    targets: tuple[str, ...]
    via: Function

    def __init__(self, *targets: str, via: Function) -> None:
        object.__setattr__(self, "targets", targets)
        object.__setattr__(self, "via", via)


@dataclass(frozen=True)
class Const:
    """The same value in every row."""

    value: str | bool | int
    derived: bool = False


RECEIVED_ON = "received_on"
"""The name under which the engine receives an upload's arrival day (a local date), for ``OfUpload``."""


@dataclass(frozen=True)
class OfUpload:
    """A fact about the upload itself, such as RECEIVED_ON; always derived."""

    what: str


@dataclass(frozen=True, init=False)
class FirstOf:
    """The first of several expressions that has a value, row by row."""

    choices: tuple[Expression, ...]

    def __init__(self, *choices: Expression) -> None:
        object.__setattr__(self, "choices", choices)


@dataclass(frozen=True, kw_only=True)
class IfOption:
    """``then`` if the district's option has this value, otherwise ``otherwise``."""

    option: str
    equals: str | bool
    then: Expression
    otherwise: Expression


Expression = From | FromTargets | Const | OfUpload | FirstOf | IfOption


# Steps: how the rows of a source become the rows that are mapped.


@dataclass(frozen=True, kw_only=True)
class OnlyRows:
    """Keep rows whose ``column`` has a value, or one of ``values`` (case is ignored).

    ``code``, ``message``: how accepted rows that are left out are reported (info), if they have a value in one of ``given``.
    """

    column: str
    values: tuple[str, ...] = ()
    code: str | None = None
    message: str = ""
    given: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AnyGiven:
    """Keep rows that have a value in at least one of ``columns``."""

    columns: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class OnlyMatched:
    """Keep rows whose ``on`` value occurs in an accepted row of ``file``; the others are reported as ``code`` (info)."""

    file: str
    on: str
    code: str
    message: str
    report: bool = True


@dataclass(frozen=True, kw_only=True)
class Unpivot:
    """Make one row for each value in ``columns`` and in the members of ``family`` (a repeated value counts once)."""

    columns: tuple[str, ...]
    family: str | None
    value: str
    position: str


@dataclass(frozen=True, kw_only=True)
class SplitList:
    """Make one row for each item of the list in ``column``, with its place (1, 2, …, as text); a repeated item counts once."""

    column: str
    value: str
    position: str


@dataclass(frozen=True, kw_only=True)
class EnclosingItem:
    """Add ``name``: the item of the list in ``column`` whose dates hold those of all others, else the first one.

    The items name, by ``key``, rows of ``file``, whose dates are ``start`` and ``end``.
    """

    column: str
    name: str
    file: str
    key: str
    start: str
    end: str


@dataclass(frozen=True, kw_only=True)
class CurrentSpan:
    """Of accepted rows with the same ``by``, keep the one whose dates hold on the day of arrival, else the one that begins last.

    The others are reported (``duplicate_row``, info).
    """

    by: tuple[str, ...]
    begin: str
    end: str


@dataclass(frozen=True, kw_only=True)
class WarnUnmatched:
    """Report accepted rows (as ``code``, a warning) whose ``columns`` stand together in no accepted row of ``file``, in ``keys``.

    Rows with an empty cell among ``columns``, or a value in ``unless``, are not checked.
    """

    columns: tuple[str, ...]
    file: str
    keys: tuple[str, ...]
    code: str
    message: str
    unless: str | None = None


@dataclass(frozen=True, kw_only=True)
class ForEvery:
    """Replace a row whose ``column`` is ``value`` by one row for each accepted ``take`` of ``file``.

    The new rows have that value in the added column ``name``; their ``column`` is empty.
    """

    column: str
    value: str
    file: str
    take: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """Add columns ``take`` (new name → its column) of the row of ``file`` whose ``key`` equals ``on``.

    ``where``: only rows that meet this condition count, and the first accepted one of them is used.
    ``accepted``: only accepted rows count; otherwise a refused row counts where there is no other.
    """

    file: str
    on: str
    key: str
    take: MappingABC[str, str]
    where: RowCondition | None = None
    accepted: bool = False


@dataclass(frozen=True, kw_only=True)
class MostCommon:
    """Add ``name``: the most common ``value`` of ``file``'s rows that ``through`` links to this row; ties: first in ``order``.

    ``through`` is a file with the columns ``by`` (a column of this row too) and ``member`` (the key of ``file``).
    Values are translated by ``codes`` (ignoring case) before they are counted; values without a code do not count.
    """

    name: str
    file: str
    value: str
    through: str
    by: str
    member: str
    codes: MappingABC[str, str]
    order: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class NullIfUniform:
    """Add ``name``: ``column``, but empty in every row if there are two or more rows and all have the same value."""

    column: str
    name: str


@dataclass(frozen=True, kw_only=True)
class AnyRow:
    """Add ``name`` (text ``Y`` or empty): whether a row with the same ``by`` has one of ``values`` in ``column`` (ignoring case).

    ``file``: another file whose rows count too, with the same column names.
    """

    by: str
    column: str
    values: tuple[str, ...]
    name: str
    file: str | None = None


@dataclass(frozen=True, kw_only=True)
class RowNumber:
    """Add ``name``: the position (1, 2, …, as text) of the row among those with the same ``by``, without rows of another record."""

    by: str
    name: str


@dataclass(frozen=True, kw_only=True)
class NullIfConflicting:
    """Add ``name``: ``column``, but empty where rows with the same ``by`` disagree (rows without ``by`` keep their value)."""

    by: str
    column: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Computed:
    """Add ``name``: ``via`` of ``columns``, such as an ID by which later steps group rows."""

    name: str
    columns: tuple[str, ...]
    via: Function


@dataclass(frozen=True, kw_only=True)
class AssignUnique:
    """Add columns ``take`` (new name → its column): the first of them with a value keeps it, the others are empty.

    A value belongs to one accepted row. Rows that have it in their own first column come before rows that have it in another one,
    and earlier rows before later ones. In every other row all of ``take`` is empty, which is reported as ``code`` (a warning).
    """

    take: MappingABC[str, str]
    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class WarnIfDifferent:
    """Report accepted rows (as ``code``, a warning) whose ``column`` differs from ``other``; case and empty cells are ignored."""

    column: str
    other: str
    code: str
    message: str


Step = (
    OnlyRows
    | AnyGiven
    | OnlyMatched
    | Unpivot
    | SplitList
    | EnclosingItem
    | CurrentSpan
    | WarnUnmatched
    | ForEvery
    | Lookup
    | MostCommon
    | NullIfUniform
    | AnyRow
    | RowNumber
    | NullIfConflicting
    | AssignUnique
    | WarnIfDifferent
    | Computed
)


@dataclass(frozen=True, kw_only=True)
class MissingKey:
    """The warning for accepted rows that lack part of their key, and therefore produce no record."""

    code: str
    field: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """How rows of one vendor file become rows of one canonical table.

    - ``extensions``: the row's extension columns are copied
    - ``kept_as_extensions``: columns of the file that have no column in the table, and are kept as extensions
    - ``merges``: several rows with one key are expected (every section has the columns of its term); if they disagree, the first
      one counts and ``conflicting_rows`` warns
    - ``disagreement``: how serious that is: ``info`` where the format joins records that are known to differ
    - ``is_fallback``: if an earlier mapping to the same table produces the record too, that one counts, without a warning; if both
      merge rows of one file, ``conflicting_rows`` tells where they disagree
    - ``family_values``: values that distinguish the records of a numbered family of columns from the mapping's other records;
      empty: nothing distinguishes them
    - ``missing_key``: what to report about rows whose key is incomplete
    """

    source: str
    to: str
    columns: MappingABC[str, Expression]
    steps: tuple[Step, ...] = ()
    extensions: bool = False
    kept_as_extensions: tuple[str, ...] = ()
    merges: bool = False
    disagreement: Literal["warning", "info"] = "warning"
    is_fallback: bool = False
    family_values: MappingABC[str, str | bool] = field(default_factory=dict)
    missing_key: MissingKey | None = None
    note: str = ""

    def lineage(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """Return the lineage: target column → the (file, column) pairs that it is computed from."""
        made: dict[str, tuple[tuple[str, str], ...]] = {}
        for target, expression in self.columns.items():
            made[target] = tuple(dict.fromkeys(self._reads(expression, made)))
        return made

    def unavailable_targets(
        self, columns: MappingABC[str, Collection[str]], lost: MappingABC[str, Collection[str]]
    ) -> tuple[str, ...]:
        """Return the target columns that cannot be filled, because no source column is there, and earlier uploads had one of them.

        Args: columns, lost: by vendor file; of a file that is not among them, every column is there.
        """
        silent = []
        for target, origins in self.lineage().items():
            there = any(file not in columns or column in columns[file] for file, column in origins)
            if not there and any(column in lost.get(file, ()) for file, column in origins):
                silent.append(target)
        return tuple(silent)

    def files(self) -> tuple[str, ...]:
        """Return the vendor files that this mapping reads, its own first."""
        others = (name for step in self.steps for name in (getattr(step, "file", None), getattr(step, "through", None)))
        return tuple(dict.fromkeys((self.source, *(name for name in others if name))))

    def _reads(self, expression: Expression, made: MappingABC[str, tuple[tuple[str, str], ...]]) -> list[tuple[str, str]]:
        match expression:
            case From(sources=sources):
                return [pair for source in sources for pair in self.origins(source)]
            case FromTargets(targets=targets):
                return [pair for target in targets for pair in made[target]]
            case FirstOf(choices=choices):
                return [pair for choice in choices for pair in self._reads(choice, made)]
            case IfOption(then=then, otherwise=otherwise):
                return [*self._reads(then, made), *self._reads(otherwise, made)]
            case _:
                return []

    def origins(self, column: str, before: int | None = None) -> list[tuple[str, str]]:
        """Return the (file, column) pairs of `column`, as the steps leave it; with `before`, as the first so many steps do."""
        steps = enumerate(self.steps[:before])
        added = (found for number, step in steps if (found := self._added(step, column, number)) is not None)
        return next(added, [(self.source, column)])

    def _added_by_list(self, step: Step, column: str) -> list[tuple[str, str]] | None:
        """Return what `_added` does, for steps that read lists."""
        if isinstance(step, SplitList) and column in (step.value, step.position):
            return [(self.source, step.column)] if column == step.value else []
        if isinstance(step, EnclosingItem) and column == step.name:
            return [(self.source, step.column), (step.file, step.start), (step.file, step.end)]
        return None

    def _added(self, step: Step, column: str, number: int) -> list[tuple[str, str]] | None:
        """Return the (file, column) pairs that `step`, by its number, computes `column` from; None: the step does not add it."""
        origins = self._added_by_list(step, column)
        match step:
            case Lookup(take=take) if column in take:
                origins = [(step.file, take[column])]
            case AssignUnique(take=take) if column in take:
                origins = [(self.source, take[column])]
            case MostCommon(name=name) if column == name:
                origins = [(step.file, step.value), (step.through, step.member)]
            case NullIfUniform(name=name) | AnyRow(name=name) | NullIfConflicting(name=name) if column == name:
                origins = [(self.source, step.column)]
            case ForEvery(name=name) if column == name:
                origins = [(step.file, step.take), (self.source, step.column)]
            case Computed(name=name) if column == name:
                origins = [pair for source in step.columns for pair in self.origins(source, number)]
            case Unpivot(value=name) if column == name:
                origins = [(self.source, source) for source in (*step.columns, *((step.family,) if step.family else ()))]
            case Unpivot(position=name) | RowNumber(name=name) if column == name:
                origins = []
        return origins


def identity_columns(mapping: Mapping, key: tuple[str, ...], file_key: tuple[str, ...]) -> dict[str, str]:
    """Return canonical key column → source key column, for key columns that are copied unchanged."""
    direct: dict[str, Any] = {name: mapping.columns.get(name) for name in key}
    return {
        name: expression.sources[0]
        for name, expression in direct.items()
        if isinstance(expression, From) and expression.via is None and expression.sources[0] in file_key
    }
