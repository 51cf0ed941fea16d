"""The promises of a file or a table, one line each, by the names that suites and verdicts share.

Belongs here: which rules a specification makes, and what each is called. A verdict frame (``engine.judge``) and a suite
(``projections.suites``) meet by these names and nowhere else, so neither may spell one itself.
Does not belong here: how a rule is judged, and how many rows may break it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from roster_etl.spec.files import Column, Family, File
from roster_etl.spec.rules import NotBefore, RowRule, Text

Check = Literal[
    "header", "rows", "refused", "key", "required", "form", "reference", "unique", "together", "not_before", "repeats", "present"
]

HEADER = "file: header"
ANY_ROW = "file: a row is accepted"
REFUSED_ROWS = "file: rows refused"
REPEATS = "file: repeated rows agree"


@dataclass(frozen=True, kw_only=True)
class Promise:
    """One rule. ``rule`` is its name in verdicts and suites; ``columns`` are in vendor spelling, a family by its pattern.

    What a verdict counts as judged, and as failing, for each ``check``:

    - ``header``: required columns, those missing
    - ``rows``: rows seen; all of them when none was accepted, else none
    - ``refused``: rows seen, rows refused (cascades too)
    - ``key``: rows seen, rows refused because an earlier, different row has their key (exact repeats do not fail)
    - ``required``, ``present``: rows seen, empty cells
    - ``form``, ``reference``, ``unique``: filled cells, broken ones (of a family: over all its columns together)
    - ``together``: rows with any of the columns filled, those that lack a needed one
    - ``not_before``: rows with both dates, those in the wrong order
    - ``repeats``: rows that repeat a key, those that disagree with the first
    """

    rule: str
    check: Check
    columns: tuple[str, ...] = ()


def promises(file: File) -> tuple[Promise, ...]:
    """Return every promise of `file`: of the file as a whole, of its key, of its columns in order, of its rows."""
    key = Promise(rule=f"{', '.join(file.key)}: unique", check="key", columns=file.key)
    whole = (
        Promise(rule=HEADER, check="header"),
        Promise(rule=ANY_ROW, check="rows"),
        Promise(rule=REFUSED_ROWS, check="refused"),
        key,
    )
    columns = (promise for column in file.columns for promise in _column(column) if promise.rule != key.rule)
    families = (promise for family in file.families for promise in _family(family))
    repeats = (Promise(rule=REPEATS, check="repeats", columns=file.key),) if file.repeats else ()
    return (*whole, *columns, *families, *map(_row_rule, file.rules), *repeats)


def table_promises(table: str) -> tuple[Promise, ...]:
    """Return the promises of the canonical table `table`.

    ``key``: records, those whose key another record has too. ``rows``: current records of the last import, those missing now.
    """
    return (
        Promise(rule=f"{table}: key unique", check="key"),
        Promise(rule=f"{table}: rows against last import", check="rows"),
    )


def _column(column: Column) -> tuple[Promise, ...]:
    if column.secret:
        return ()
    optional = not column.required or column.relaxed_by is not None
    made: tuple[tuple[Check, bool], ...] = (
        ("required", column.required),
        ("form", _has_form(column)),
        ("reference", column.references is not None),
        ("unique", column.unique is not None),
        ("present", optional),
    )
    return tuple(
        Promise(rule=f"{column.name}: {check}", check=check, columns=(column.name,)) for check, is_made in made if is_made
    )


def _family(family: Family) -> tuple[Promise, ...]:
    made: tuple[tuple[Check, bool], ...] = (("form", _has_form(family)), ("reference", family.references is not None))
    return tuple(
        Promise(rule=f"{family.pattern}: {check}", check=check, columns=(family.pattern,)) for check, is_made in made if is_made
    )


def _row_rule(rule: RowRule) -> Promise:
    if isinstance(rule, NotBefore):
        return Promise(rule=f"{rule.column}: not before {rule.other}", check="not_before", columns=(rule.column, rule.other))
    return Promise(rule=f"{', '.join(rule.need)}: together", check="together", columns=rule.columns)


def _has_form(column: Column | Family) -> bool:
    return column.form != Text()
