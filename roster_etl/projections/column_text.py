"""Describe a column of a vendor's file in words: what its cells must be, and what it refers to.

The reference documents and the assets' metadata have the same words.
"""

from __future__ import annotations

from collections.abc import Iterable

from roster_etl.spec import (
    CellFormat,
    Choice,
    Column,
    Date,
    DateTime,
    Decimal,
    Digits,
    Family,
    Identifier,
    ListOf,
    Phone,
    SchoolYear,
    Status,
    Text,
    WholeNumber,
)


def column_text(column: Column | Family) -> str:
    """Return what a file's column must be, on one line: whether it is required, its form and codes, what it refers to, and the note."""
    required, form = ("", cell_format_text(column.cell_format)) if isinstance(column, Family) else column_rules(column)
    requirement = required.replace("yes", "Required", 1) if required else "Optional"
    reference = f"Refers to {reference_text(column)}." if column.references else ""
    return " ".join(filter(None, (f"{requirement}: {form}.", reference, column.note)))


def column_rules(column: Column) -> tuple[str, str]:
    """Return whether a column is required, and its form."""
    required = "yes" if column.required else ""
    if column.required_where:
        required += f", where `{column.required_where.column}` is {name_list(column.required_where.values)}"
    if column.has_default:
        required += ", but a cell may be empty"
    if column.optional_if_option:
        required += f", unless `{column.optional_if_option}` is off"
    form = "never read" if column.secret else cell_format_text(column.cell_format)
    form += "; anything else refuses the row" if column.strict else ""
    form += "; edits by hand outlast uploads" if column.sticky else ""
    if column.unique:
        form += ", unique"
    if column.matches:
        form += f", which the feed that `{column.matches.option}` names should have"
    return required, form


def reference_text(column: Column | Family) -> str:
    """Return what a column refers to; empty: nothing."""
    if column.references is None:
        return ""
    also = "".join(f", or `{value}`" for value in column.references.also)
    return f"`{column.references.column}` of {column.references.file}{also}"


def cell_format_text(form: CellFormat) -> str:
    """Return the description of a cell format, in the terms of the format's document."""
    match form:
        case Choice() | Status():
            text = _choice_text(form)
        case Digits():
            text = "digits only"
        case WholeNumber(minimum=minimum, maximum=maximum):
            text = f"whole number, {minimum} to {maximum}"
        case Date(patterns=patterns):
            text = f"date {' or '.join(patterns)}"
        case DateTime(keywords=words):
            text = "moment in ISO 8601" + "".join(f", or `{word}`" for word in words)
        case Decimal():
            text = "decimal number"
        case ListOf() | Identifier() | SchoolYear():
            text = _list_text(form)
        case Phone(lengths=lengths):
            text = f"phone number of {', '.join(map(str, lengths))} digits"
        case Text(max_length=limit, printable=printable):
            text = f"text of at most {limit} characters" if limit else "text"
            text += ", no control characters" if printable else ""
        case _:
            text = "e-mail address"
    return text


def _list_text(form: ListOf | Identifier | SchoolYear) -> str:
    if isinstance(form, Identifier):
        return "id: digits, letters, `.` `-` `_` `/` `@`"
    if isinstance(form, SchoolYear):
        return "year of four digits"
    items = "`{type:id}`" if form.pairs else cell_format_text(form.item)
    return f"list, separated by commas: {items}"


def _choice_text(form: Choice | Status) -> str:
    text = f"one of {_runs(form.options)}"
    if isinstance(form, Status):
        return text
    if form.prefix:
        text += f", or what begins with `{form.prefix}`"
    if form.tolerated:
        text += f"; {name_list(form.tolerated)} with a warning"
    if form.ranges:
        text += ", or a range of two whole numbers"
    return f"{text}; anything else counts as `{form.fallback}`" if form.fallback else text


def _runs(options: tuple[str, ...]) -> str:
    """Return the options as text, with consecutive whole numbers as a range: `1` … `13`."""
    runs: list[list[str]] = []
    for option in options:
        follows = bool(runs) and option.isdigit() and runs[-1][-1].isdigit() and int(option) == int(runs[-1][-1]) + 1
        if follows:
            runs[-1].append(option)
        else:
            runs.append([option])
    return ", ".join(f"`{run[0]}` … `{run[-1]}`" if len(run) > 2 else name_list(run) for run in runs)


def name_list(names: Iterable[str]) -> str:
    """Return the names as code, with commas between."""
    return ", ".join(f"`{name}`" for name in names)
