"""The language "target column ← source columns, by this function", which is also the lineage.

Belongs here: what a mapping can say. How it is run lives in ``engine.transform.mapper`` and ``engine.transform.row_steps``; the functions that it
names live in ``mapping.value_functions``. A function receives only the columns that its plan declares, so an undeclared read
cannot happen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from roster_etl.spec import RowCondition

Function = Callable[..., pd.Series]


@dataclass(frozen=True, init=False)
class From:
    """The value of one source column, or ``via`` of several. ``derived``: the value was not given as such.

    ``option``: the name of a district option whose value is handed to ``via`` after the series.
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
    """``via`` of target columns that stand earlier in the same mapping; always derived."""

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
"""What is known of an upload besides its files, by the name under which the engine is told: the local day on which it arrived (a date)."""


@dataclass(frozen=True)
class OfUpload:
    """What is known of the upload itself, such as RECEIVED_ON; always derived."""

    what: str


@dataclass(frozen=True, init=False)
class FirstOf:
    """The first of several expressions that has a value, row by row."""

    choices: tuple[Expression, ...]

    def __init__(self, *choices: Expression) -> None:
        object.__setattr__(self, "choices", choices)


@dataclass(frozen=True, kw_only=True)
class IfOption:
    """``then`` where the district's option has this value, else ``otherwise``."""

    option: str
    equals: str | bool
    then: Expression
    otherwise: Expression


Expression = From | FromTargets | Const | OfUpload | FirstOf | IfOption


# ---- steps: how the rows of a source become the rows that are mapped


@dataclass(frozen=True, kw_only=True)
class OnlyRows:
    """Keep rows whose ``column`` has a value, or one of ``values`` (case does not count)."""

    column: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AnyGiven:
    """Keep rows that have a value in one of ``columns`` at least."""

    columns: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class OnlyMatched:
    """Keep rows whose ``on`` value stands in an accepted row of ``file``; the others are reported as ``code`` (info)."""

    file: str
    on: str
    code: str
    message: str
    report: bool = True


@dataclass(frozen=True, kw_only=True)
class Unpivot:
    """One row for each value in ``columns`` and the members of ``family`` (a repeated value counts once)."""

    columns: tuple[str, ...]
    family: str | None
    value: str
    position: str


@dataclass(frozen=True, kw_only=True)
class ForEvery:
    """Replace a row whose ``column`` is ``value`` by one row for each accepted ``take`` of ``file``.

    The new rows carry it in the added column ``name``; their ``column`` is empty.
    """

    column: str
    value: str
    file: str
    take: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """Add columns ``take`` (new name → its column) of the row of ``file`` whose ``key`` equals ``on``.

    ``where``: of several rows the first accepted one that is so; no other counts.
    """

    file: str
    on: str
    key: str
    take: MappingABC[str, str]
    where: RowCondition | None = None


@dataclass(frozen=True, kw_only=True)
class MostCommon:
    """Add ``name``: the most common ``value`` of ``file``'s rows that ``through`` links to this row; ties: first in ``order``.

    ``through`` is a file with the columns ``by`` (a column of this row too) and ``member`` (the key of ``file``).
    Values are counted, and given, as ``codes`` translates them (without regard to case); others do not count.
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
    """Add ``name``: ``column``, but empty in every row if two or more rows all have the same value."""

    column: str
    name: str


@dataclass(frozen=True, kw_only=True)
class AnyRow:
    """Add ``name`` (text ``Y`` or empty): some row with the same ``by`` has one of ``values`` in ``column`` (case does not count).

    ``file``: another file whose rows count too, by columns of the same names.
    """

    by: str
    column: str
    values: tuple[str, ...]
    name: str
    file: str | None = None


@dataclass(frozen=True, kw_only=True)
class RowNumber:
    """Add ``name``: the position (1, 2, …, as text) of the row among those with the same ``by``."""

    by: str
    name: str


@dataclass(frozen=True, kw_only=True)
class NullIfConflicting:
    """Add ``name``: ``column``, but empty where rows with the same ``by`` disagree about it (rows without ``by`` keep it)."""

    by: str
    column: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Computed:
    """Add ``name``: ``via`` of ``columns``, such as an id by which later steps can group rows."""

    name: str
    columns: tuple[str, ...]
    via: Function


@dataclass(frozen=True, kw_only=True)
class AssignUnique:
    """Add columns ``take`` (new name → its column): the first of these that has a value keeps it, the others are empty.

    A value belongs to one accepted row: rows whose own first column has it come before those where another stands in, and
    earlier rows before later ones. Of every other row all of ``take`` is empty, which is reported as ``code`` (a warning).
    """

    take: MappingABC[str, str]
    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class WarnIfDifferent:
    """Report accepted rows (as ``code``, a warning) whose ``column`` is not ``other``, without regard to case; empty differs from nothing."""

    column: str
    other: str
    code: str
    message: str


Step = (
    OnlyRows
    | AnyGiven
    | OnlyMatched
    | Unpivot
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
    """What is said (as a warning) of accepted rows that do not tell which record they are about. They give none."""

    code: str
    field: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """How rows of one vendor file become rows of one canonical table.

    ``extensions``: the row's extension columns go along. ``merges``: rows with one key are expected (a term stands in
    every section); where they disagree the first counts and ``conflicting_rows`` warns. ``is_fallback``: where an earlier
    mapping to the same table gives a record too, that one counts, as expected. ``family_values``: values that tell the records
    which a numbered family of columns gives from the mapping's others; none: nothing tells them apart. ``missing_key``: what to
    report of rows whose key is not complete.
    """

    source: str
    to: str
    columns: MappingABC[str, Expression]
    steps: tuple[Step, ...] = ()
    extensions: bool = False
    merges: bool = False
    is_fallback: bool = False
    family_values: MappingABC[str, str | bool] = field(default_factory=dict)
    missing_key: MissingKey | None = None
    note: str = ""

    def lineage(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """Return the lineage: target column → the (file, column) pairs that it is made of."""
        made: dict[str, tuple[tuple[str, str], ...]] = {}
        for target, expression in self.columns.items():
            made[target] = tuple(dict.fromkeys(self._reads(expression, made)))
        return made

    def unavailable_targets(self, columns: Collection[str], lost: Collection[str]) -> tuple[str, ...]:
        """Return the target columns of which a file with `columns` says nothing, since it lost what they are made of."""
        silent = []
        for target, origins in self.lineage().items():
            own = [column for file, column in origins if file == self.source]
            if own and len(own) == len(origins) and not set(own) & set(columns) and set(own) & set(lost):
                silent.append(target)
        return tuple(silent)

    def files(self) -> tuple[str, ...]:
        """Return the vendor files that this mapping reads, its own first."""
        others = (name for step in self.steps for name in (getattr(step, "file", None), getattr(step, "through", None)))
        return tuple(dict.fromkeys((self.source, *(name for name in others if name))))

    def _reads(self, expression: Expression, made: MappingABC[str, tuple[tuple[str, str], ...]]) -> list[tuple[str, str]]:
        match expression:
            case From(sources=sources):
                return [pair for source in sources for pair in self._origin(source)]
            case FromTargets(targets=targets):
                return [pair for target in targets for pair in made[target]]
            case FirstOf(choices=choices):
                return [pair for choice in choices for pair in self._reads(choice, made)]
            case IfOption(then=then, otherwise=otherwise):
                return [*self._reads(then, made), *self._reads(otherwise, made)]
            case _:
                return []

    def origins(self, column: str) -> list[tuple[str, str]]:
        """Return the (file, column) pairs that a column of the mapped rows is made of."""
        return self._origin(column)

    def _origin(self, column: str) -> list[tuple[str, str]]:
        added = (found for step in self.steps if (found := self._added(step, column)) is not None)
        return next(added, [(self.source, column)])

    def _added(self, step: Step, column: str) -> list[tuple[str, str]] | None:
        """Return what `column` is made of where `step` adds it."""
        origins: list[tuple[str, str]] | None = None
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
                origins = [(self.source, source) for source in step.columns]
            case Unpivot(value=name) if column == name:
                origins = [(self.source, source) for source in (*step.columns, *((step.family,) if step.family else ()))]
            case Unpivot(position=name) | RowNumber(name=name) if column == name:
                origins = []
        return origins


def identity_columns(mapping: Mapping, key: tuple[str, ...], file_key: tuple[str, ...]) -> dict[str, str]:
    """Return canonical key column → source key column, where the one is the other unchanged."""
    direct: dict[str, Any] = {name: mapping.columns.get(name) for name in key}
    return {
        name: expression.sources[0]
        for name, expression in direct.items()
        if isinstance(expression, From) and expression.via is None and expression.sources[0] in file_key
    }
