"""Cell formats of columns, and rules over the cells of one row.

Belongs here: the statement of each rule. ``engine.validation.validate`` checks them; ``projections`` writes them into suites.
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
    ``code``: the finding code of an unknown value.
    """

    options: tuple[str, ...] = field(kw_only=False)
    ranges: bool = False
    fallback: str | None = None
    code: Literal["bad_value", "unknown_role"] = "bad_value"

    def __post_init__(self) -> None:
        folded = [option.casefold() for option in self.options]
        if not self.options or len(set(folded)) != len(folded):
            raise ValueError("Choice: options must be given, each once (case does not count)")
        if self.fallback is not None and self.fallback not in self.options:
            raise ValueError(f"Choice: otherwise={self.fallback!r} is not one of the options")
        if self.ranges and not any(option.isdigit() for option in self.options):
            raise ValueError("Choice: ranges need options that are whole numbers")


@dataclass(frozen=True, kw_only=True)
class Status:
    """The status of the row's record: one of ``options``, the whole cell, compared without regard to case (``bad_status``)."""

    options: tuple[str, ...] = field(kw_only=False)

    def __post_init__(self) -> None:
        if not self.options or any(option != option.strip().lower() for option in self.options):
            raise ValueError("Status: options must be given, in lower case")


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
            raise ValueError(f"Date: {', '.join(self.patterns)}: two patterns with one separator cannot be told apart")

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
            raise ValueError("Phone: name the allowed numbers of digits")


CellFormat = Text | Choice | Status | Digits | WholeNumber | Decimal | Date | DateTime | Email | Phone


@dataclass(frozen=True, kw_only=True)
class RequiredTogether:
    """If any of ``columns`` has a value, all of ``required`` must; otherwise the group is left empty, with a warning."""

    columns: tuple[str, ...]
    required: tuple[str, ...]

    def __post_init__(self) -> None:
        if not set(self.required) <= set(self.columns):
            raise ValueError("Together: need must be part of columns")


@dataclass(frozen=True, kw_only=True)
class NotBefore:
    """The date in ``column`` is not before that in ``other``; otherwise ``column`` is left empty, with a ``bad_date`` warning."""

    column: str
    other: str


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
            raise ValueError("FoundTogether: each of columns has its counterpart in others")


@dataclass(frozen=True, kw_only=True)
class AnyOf:
    """At least one of ``columns`` must have a value (``missing_required``), unless one of ``unless`` has."""

    columns: tuple[str, ...]
    unless: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.columns or len(self.columns) + len(self.unless) < 2:
            raise ValueError("AnyOf: a single column is required by itself")


RowRule = RequiredTogether | NotBefore | AnyOf | CompositeReference
