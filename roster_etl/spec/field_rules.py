"""Cell formats of columns, and rules over the cells of one row.

Source: the "Format" and "Notes" columns of the format documents.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Text:
    """Any text. ``max_length`` in characters; longer values are ``too_long``.

    ``printable``: a control character makes the value invalid; by default it only gives a warning.
    """

    max_length: int | None = None
    printable: bool = False

    def __post_init__(self) -> None:
        if self.max_length is not None and self.max_length < 1:
            raise ValueError(f"Text: max_length must be at least 1, found {self.max_length}")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of the listed options, compared without regard to case.

    ``ranges``: a range ``low-high`` of two whole-number options is valid too (Clever grades: the lower bound counts).
    ``fallback``: the option used for an unknown value, with a warning; None: an unknown value is invalid.
    ``prefix``: any value that begins with it is valid too (``ext:``).
    ``tolerated``: values that the document does not list; they are kept, with a ``bad_value`` warning, unless the upload is strict.
    ``code``: the finding code of an unknown value.
    """

    options: tuple[str, ...] = field(kw_only=False)
    ranges: bool = False
    prefix: str | None = None
    tolerated: tuple[str, ...] = ()
    fallback: str | None = None
    code: Literal["bad_value", "unknown_role"] = "bad_value"

    def __post_init__(self) -> None:
        folded = [option.casefold() for option in self.options]
        if not self.options or len(set(folded)) != len(folded):
            raise ValueError("Choice: options must not be empty, and no option may occur twice (compared without regard to case)")
        if self.fallback is not None and self.fallback not in self.options:
            raise ValueError(f"Choice: fallback={self.fallback!r} is not one of the options")
        if self.ranges and not any(option.isdigit() for option in self.options):
            raise ValueError("Choice: ranges need options that are whole numbers")


@dataclass(frozen=True, kw_only=True)
class Status:
    """The status of the row's record: one of ``options``, the whole cell, compared without regard to case (``bad_status``)."""

    options: tuple[str, ...] = field(kw_only=False)

    def __post_init__(self) -> None:
        if not self.options or any(option != option.strip().lower() for option in self.options):
            raise ValueError("Status: options must not be empty, and must be in lower case without surrounding white space")


ID_CHARS = 255
"""The longest id: longer than any system assigns, and shorter than what a database can index."""


@dataclass(frozen=True, kw_only=True)
class Identifier:
    """An id of 1 to 255 of the characters ``0-9 A-Z a-z . - _ / @``; otherwise ``bad_id``. Case counts."""


@dataclass(frozen=True, kw_only=True)
class SchoolYear:
    """The year, of four digits, in which a school year ends. ``2025-2026`` is read as 2026, with a ``bad_value`` warning."""


@dataclass(frozen=True, kw_only=True)
class ListOf:
    """A list in one cell, separated by commas; white space around items and empty items do not count (``trimmed``).

    ``item``: what each item must be; an item that is not is dropped, with a warning. ``pairs``: items are ``{type:id}``;
    ``type:id`` without braces is accepted with a ``bad_value`` warning. JSON, or a pair without a type, is ``list_mismatch``.
    """

    item: Text | Choice | Identifier = field(default_factory=Text, kw_only=False)
    pairs: bool = False


@dataclass(frozen=True, kw_only=True)
class Digits:
    """Digits 0 to 9 only. The value stays text: leading zeros are significant."""


@dataclass(frozen=True, kw_only=True)
class WholeNumber:
    """Digits only, from ``minimum`` to ``maximum`` (both inclusive), with exactly ``digits`` digits where given."""

    minimum: int
    maximum: int
    digits: int | None = None

    def __post_init__(self) -> None:
        if self.minimum > self.maximum:
            raise ValueError(f"WholeNumber: minimum {self.minimum} is above maximum {self.maximum}")


@dataclass(frozen=True, kw_only=True)
class Decimal:
    """A decimal number with a point: ``3``, ``3.75``, ``-0.5``. No thousands separators, exponent or NaN."""


@dataclass(frozen=True, kw_only=True)
class Date:
    """An existing calendar date. ``pattern`` is built of MM, DD, YYYY or YY; leading zeros are optional.

    ``also``: further accepted patterns. No text may match two patterns, so each has a separator of its own.
    A two-digit year is one of 2000 to 2099. ``any_year``: years of the other length are accepted too.
    """

    pattern: str
    also: tuple[str, ...] = ()
    any_year: bool = False

    def __post_init__(self) -> None:
        for pattern in self.patterns:
            if sorted(pattern.replace("YYYY", "YY").replace("-", "/").split("/")) != ["DD", "MM", "YY"]:
                raise ValueError(f"Date: pattern {pattern!r} must name month, day and year once, joined by / or -")
        if len({"-" in pattern for pattern in self.patterns}) < len(self.patterns):
            raise ValueError(
                f"Date: {', '.join(self.patterns)}: patterns must have different separators, because one text could match both"
            )

    @property
    def patterns(self) -> tuple[str, ...]:
        """All accepted patterns, the usual one first."""
        return (self.pattern, *self.also)


@dataclass(frozen=True, kw_only=True)
class DateTime:
    """A time in ISO 8601, ``2013-08-26T17:00:00Z``; a blank may replace T, time and zone are optional (midnight, UTC).

    ``keywords``: other accepted values, such as one that clears the date.
    """

    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Email:
    """An email address ``local@domain.tld`` without white space."""


@dataclass(frozen=True, kw_only=True)
class Phone:
    """A phone number with one of ``lengths`` digits, not counting spaces and the punctuation ``( ) . + -``."""

    lengths: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.lengths:
            raise ValueError("Phone: lengths must not be empty; they are the allowed numbers of digits")


CellFormat = (
    Text | Choice | Status | Identifier | SchoolYear | ListOf | Digits | WholeNumber | Decimal | Date | DateTime | Email | Phone
)


@dataclass(frozen=True, kw_only=True)
class RequiredTogether:
    """If any of ``columns`` has a value, all of ``required`` must; otherwise the group is left empty, with a warning."""

    columns: tuple[str, ...]
    required: tuple[str, ...]

    def __post_init__(self) -> None:
        if not set(self.required) <= set(self.columns):
            raise ValueError("RequiredTogether: required must be a subset of columns")


@dataclass(frozen=True, kw_only=True)
class NotBefore:
    """The date in ``column`` is not before that in ``other``; otherwise ``column`` is left empty, with a ``bad_date`` warning.

    ``clear_both``: ``other`` is left empty, too.
    """

    column: str
    other: str
    clear_both: bool = False


@dataclass(frozen=True, kw_only=True)
class CompositeReference:
    """The values of ``columns`` occur together in a row of ``file``, in its ``other_columns``; otherwise ``not_enrolled`` warns.

    Values are compared without regard to case. Rows with an empty cell among ``columns`` are not checked.
    """

    columns: tuple[str, ...]
    file: str
    other_columns: tuple[str, ...]
    message: str

    def __post_init__(self) -> None:
        if not self.columns or len(self.columns) != len(self.other_columns):
            raise ValueError("CompositeReference: columns and other_columns must have the same length, at least one")


@dataclass(frozen=True, kw_only=True)
class RequireAnyOf:
    """At least one of ``columns`` must have a value (``missing_required``), unless one of ``unless`` has."""

    columns: tuple[str, ...]
    unless: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.columns or len(self.columns) + len(self.unless) < 2:
            raise ValueError("RequireAnyOf: needs two columns or more; for a single column use Column(required=True)")


@dataclass(frozen=True, kw_only=True)
class SameLength:
    """The lists in ``columns`` have equally many items where all of them are filled; otherwise ``list_mismatch`` warns."""

    columns: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class SelfReference:
    """The value of ``column`` (or each item of its list) is the ``key`` of another row of the same file.

    A value that is not is left out (``unknown_reference``). ``loops``: whether a record may be its own ancestor; if not, the rows
    of the loop are refused (``loop``).
    """

    column: str
    key: str
    loops: bool = False

    @property
    def columns(self) -> tuple[str, str]:
        """The columns that the rule reads."""
        return (self.column, self.key)


@dataclass(frozen=True, kw_only=True)
class ReferencedRecordType:
    """The record of ``file`` that ``column`` names by ``key`` has one of ``expected`` in ``type_column``; otherwise ``type_mismatch`` warns."""

    column: str
    file: str
    key: str
    type_column: str
    expected: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The column that the rule reads."""
        return (self.column,)


@dataclass(frozen=True, kw_only=True)
class AtMostOne:
    """Of the rows with equal cells in ``by``, at most one at a time has all of ``where`` (column, value); otherwise ``several_primary`` warns.

    ``begin``, ``end``: the dates between which a row holds, if both are given.
    """

    by: tuple[str, ...]
    where: tuple[tuple[str, str], ...]
    begin: str | None = None
    end: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the rule reads."""
        return (*self.by, *(column for column, _ in self.where))


@dataclass(frozen=True, kw_only=True)
class AllowedOnlyWhere:
    """``column`` has a meaning only in rows whose ``of`` is one of ``values``; elsewhere its cells are ignored (``ignored_value``)."""

    column: str
    of: str
    values: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, str]:
        """The columns that the rule reads."""
        return (self.column, self.of)


@dataclass(frozen=True, kw_only=True)
class WithinPeriods:
    """The dates ``begin`` and ``end`` lie within the periods of the record that the row names; otherwise ``outside_term`` warns.

    ``column`` names, by ``key``, a record of ``file``, whose list ``periods`` names records of ``period_file`` by ``period_key``;
    these have the dates ``start`` and ``finish``.
    """

    begin: str
    end: str
    column: str
    file: str
    key: str
    periods: str
    period_file: str
    period_key: str
    start: str
    finish: str

    @property
    def columns(self) -> tuple[str, str, str]:
        """The columns that the rule reads."""
        return (self.begin, self.end, self.column)


RowRule = (
    RequiredTogether
    | NotBefore
    | RequireAnyOf
    | CompositeReference
    | SameLength
    | SelfReference
    | ReferencedRecordType
    | AtMostOne
    | AllowedOnlyWhere
    | WithinPeriods
)
