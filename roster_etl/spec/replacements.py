"""Replace rules: what a district's own codes mean, set for its feed and applied before validation.

Here are the columns that a rule may name, and how rules are found; ``engine`` applies them, ``store`` keeps them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from roster_etl.spec.errors import PermanentError
from roster_etl.spec.files import Column, File
from roster_etl.spec.formats import Format

Replacements: TypeAlias = Mapping[str, Mapping[str, str]]  # column → value as uploaded → value to read instead
Codes: TypeAlias = dict[str, str]  # value as uploaded, casefolded → value to read instead


class BadReplacements(PermanentError):
    """Replace rules name a column that cannot be replaced, or contradict each other."""

    code = "bad_replacements"
    template = "replacements of the feed in format {format}: {problem}; columns that can be named: {known}"


def check_replacements(format_: Format, replacements: Replacements) -> None:
    """Check that every rule can take effect. Raises BadReplacements with all problems, by column."""
    if problems := list(_problems(format_, replacements)):
        known = ", ".join(dict.fromkeys(_replaceable(format_).values()))
        raise BadReplacements(format=format_.name, problem="; ".join(problems), known=known)


def replacement_codes(file: File, name: str, replacements: Replacements) -> Codes:
    """Return the rules for column `name` of `file` (vendor spelling, or an extension's header); empty: nothing is replaced.

    Columns are matched by name or alias. Case and surrounding white space are ignored, in columns and in values.
    """
    column = next((column for column in file.columns if column.name == name), None)
    if column is None and not _is_extension(file, name):
        return {}
    if column is not None and _is_fixed(file, column):
        return {}
    names = {comparison_key(spelling) for spelling in ((column.name, *column.aliases) if column else (name,))}
    tables = [table for spelling, table in replacements.items() if comparison_key(spelling) in names]
    return {comparison_key(value): instead.strip() for table in tables for value, instead in table.items()}


def comparison_key(text: str) -> str:
    """Return `text` in the form in which rules compare it: trimmed and casefolded."""
    return text.strip().casefold()


def _problems(format_: Format, replacements: Replacements) -> Iterator[str]:
    if not replacements:  # as most feeds; the columns need not be listed then
        return
    known = _replaceable(format_)
    seen: set[str] = set()
    for spelling, table in replacements.items():
        name = known.get(comparison_key(spelling), comparison_key(spelling))
        if name not in known.values() and not any(_is_extension(file, name) for file in format_.files):
            yield f'"{spelling}" {_why_not_replaceable(format_, spelling)}'
        if name in seen:
            yield f'"{spelling}" is named twice'
        seen.add(name)
        values = [comparison_key(value) for value in table]
        if "" in values:
            yield f'"{spelling}" has a rule for the empty cell; only values can be replaced'
        if len(set(values)) < len(values):
            yield f'"{spelling}" has two rules for one value (case does not count)'


def _why_not_replaceable(format_: Format, spelling: str) -> str:
    columns = [
        column for file in format_.files for column in (*file.columns, *(family.column(family.first) for family in file.families))
    ]
    if comparison_key(spelling) in {comparison_key(name) for column in columns for name in (column.name, *column.aliases)}:
        return "cannot be replaced: it is an id, or is never read"
    return "is no column of the format"


def _replaceable(format_: Format) -> dict[str, str]:
    """Return the columns that rules may name: every spelling, casefolded → the column's name."""
    return {
        comparison_key(spelling): column.name
        for file in format_.files
        for column in file.columns
        if not _is_fixed(file, column)
        for spelling in (column.name, *column.aliases)
    }


def _is_fixed(file: File, column: Column) -> bool:
    """Return whether `column` cannot be replaced: IDs identify the records of damaged rows, and secrets are never read."""
    return column.secret or column.name in file.key or bool(column.references or column.unique)


def _is_extension(file: File, name: str) -> bool:
    return any(name.casefold().startswith(prefix) and len(name) > len(prefix) for prefix in file.extensions)
