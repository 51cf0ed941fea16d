"""Forms that a cell can be promised to have, and rules over the cells of one row.

Belongs here: what the promise is. How it is checked lives in ``engine.validation.validate``; how it reads in a suite in ``projections``.
Source: the "Format" and "Notes" columns of the format documents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Text:
    """Any text. ``max_length`` in characters; longer values are ``too_long``.

    ``printable``: a control character breaks the value, instead of being doubtful.
    """

    max_length: int | None = None
    printable: bool = False

    def __post_init__(self) -> None:
        if self.max_length is not None and self.max_length < 1:
            raise ValueError(f"Text: max_length must be at least 1, found {self.max_length}")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of the listed options, compared without regard to case.

    ``ranges``: a range ``low-high`` of two whole-number options is allowed too (Clever grades: the lower bound counts).
    ``fallback``: the option that an unknown value stands for (with a warning); None: an unknown value is broken.
    ``code``: what an unknown value is called.
    """

    options: tuple[str, ...]
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
    """What the row says of its record: one of ``options``, the whole word, compared without regard to case (``bad_status``)."""

    options: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.options or any(option != option.strip().lower() for option in self.options):
            raise ValueError("Status: options must be given, in lower case")


@dataclass(frozen=True, kw_only=True)
class Digits:
    """Digits 0 to 9 and nothing else. The value stays text: leading zeros count."""


@dataclass(frozen=True, kw_only=True)
class WholeNumber:
    """Digits only, between ``minimum`` and ``maximum`` (both inclusive), with ``digits`` digits where given."""

    minimum: int
    maximum: int
    digits: int | None = None

    def __post_init__(self) -> None:
        if self.minimum > self.maximum:
            raise ValueError(f"WholeNumber: minimum {self.minimum} is above maximum {self.maximum}")


@dataclass(frozen=True, kw_only=True)
class Decimal:
    """A decimal number with a point: ``3``, ``3.75``, ``-0.5``. No thousands separators, no exponent, no NaN."""


@dataclass(frozen=True, kw_only=True)
class Date:
    """A calendar date that exists. ``pattern`` is built of MM, DD, YYYY or YY; leading zeros may be left out.

    ``also``: further patterns that are read. No text may fit two of them, so each has a separator of its own.
    Two digits of a year are those of 2000 to 2099. ``any_year``: a year of the other length is read too.
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
        """All patterns that are read, the usual one first."""
        return (self.pattern, *self.also)


@dataclass(frozen=True, kw_only=True)
class DateTime:
    """A moment in ISO 8601, ``2013-08-26T17:00:00Z``: T may be a blank, time and zone may be left out (midnight, UTC).

    ``keywords``: other values that the cell may have instead, such as one that asks for the date to be cleared.
    """

    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Email:
    """An address ``local@domain.tld`` without white space."""


@dataclass(frozen=True, kw_only=True)
class Phone:
    """A phone number with one of ``lengths`` digits, once spaces and the punctuation ``( ) . + -`` are taken out."""

    lengths: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.lengths:
            raise ValueError("Phone: name the allowed numbers of digits")


CellFormat = Text | Choice | Status | Digits | WholeNumber | Decimal | Date | DateTime | Email | Phone


@dataclass(frozen=True, kw_only=True)
class RequiredTogether:
    """If any of ``columns`` has a value, all of ``required`` must; else the whole group is left empty, with a warning."""

    columns: tuple[str, ...]
    required: tuple[str, ...]

    def __post_init__(self) -> None:
        if not set(self.required) <= set(self.columns):
            raise ValueError("Together: need must be part of columns")


@dataclass(frozen=True, kw_only=True)
class NotBefore:
    """The date in ``column`` is not before the one in ``other``; else ``column`` is left empty, with a ``bad_date`` warning."""

    column: str
    other: str


@dataclass(frozen=True, kw_only=True)
class CompositeReference:
    """The values of ``columns`` stand together in a row of ``file``, in its ``other_columns``; else the row is doubtful (``not_enrolled``).

    They are compared without regard to case. Rows that lack one of the values are not compared.
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
    """One of ``columns`` must have a value (``missing_required``), unless one of ``unless`` has."""

    columns: tuple[str, ...]
    unless: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.columns or len(self.columns) + len(self.unless) < 2:
            raise ValueError("AnyOf: a single column is required by itself")


RowRule = RequiredTogether | NotBefore | AnyOf | CompositeReference
