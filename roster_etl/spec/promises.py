"""The promises of a file or a table, one line each, by the names that suites and verdicts share.

Belongs here: which rules a specification makes, and what each is called. A verdict frame (``engine.judge``) and a suite
(``projections.suites``) meet by these names and nowhere else, so neither may spell one itself.
Does not belong here: how a rule is judged, and how many rows may break it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

<<<<<<< HEAD
from roster_etl.spec.files import Column, Family, File
=======
from roster_etl.spec.files import Column, File
>>>>>>> w/quality
from roster_etl.spec.rules import NotBefore, RowRule, Text

Check = Literal[
    "header", "rows", "refused", "key", "required", "form", "reference", "unique", "together", "not_before", "repeats", "present"
]

HEADER = "file: header"
ANY_ROW = "file: a row is accepted"
REFUSED_ROWS = "file: rows refused"
<<<<<<< HEAD
REPEATS = "file: repeated rows agree"
=======
>>>>>>> w/quality


@dataclass(frozen=True, kw_only=True)
class Promise:
<<<<<<< HEAD
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
=======
    """One rule. ``rule`` is its name in verdicts and suites; ``columns`` are in vendor spelling.

    What a verdict counts as judged, and as failing, for each ``check``:

    - ``header``: 1, and 1 if it does not fit
    - ``rows``: rows seen; all of them when none was accepted, else none
    - ``refused``: rows seen, rows refused (because of rows that they refer to, too)
    - ``key``: rows that got so far, those that an earlier, different row of the same key shuts out (exact repeats do not fail)
    - ``required``, ``present``: rows, those with an empty cell
    - ``form``, ``reference``, ``unique``: filled cells, broken ones
    - ``together``: rows with any of the columns filled, those that lack a needed one
    - ``not_before``: rows, those with the dates in the wrong order
    - ``repeats``: rows that got so far, those that repeat a key and disagree with its first row
>>>>>>> w/quality
    """

    rule: str
    check: Check
    columns: tuple[str, ...] = ()


def promises(file: File) -> tuple[Promise, ...]:
<<<<<<< HEAD
    """Return every promise of `file`: of the file as a whole, of its key, of its columns in order, of its rows."""
    key = Promise(rule=f"{', '.join(file.key)}: unique", check="key", columns=file.key)
=======
    """Return every promise of `file`: of the file as a whole, of its key, of its columns in order, of its rows.

    Of a family without a last number, no column can be promised anything, since it is unknown how many there are.
    """
>>>>>>> w/quality
    whole = (
        Promise(rule=HEADER, check="header"),
        Promise(rule=ANY_ROW, check="rows"),
        Promise(rule=REFUSED_ROWS, check="refused"),
<<<<<<< HEAD
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
=======
    )
    key = _key(file)
    families = (family.column(n) for family in file.families if family.last for n in range(family.first, family.last + 1))
    columns = (promise for column in (*file.columns, *families) for promise in _column(column) if promise.rule != key.rule)
    return (*whole, key, *columns, *map(_row_rule, file.rules))


def table_promises(table: str, *, event: bool = False) -> tuple[Promise, ...]:
    """Return the promises of the canonical table `table`; of one that holds events, nothing is expected to come again.

    ``key``: records, those whose key an earlier one has. ``rows``: current records, those that the import would leave out.
    """
    key = Promise(rule=f"{table}: key unique", check="key")
    return (key,) if event else (key, Promise(rule=f"{table}: rows against last import", check="rows"))


def _key(file: File) -> Promise:
    name = " + ".join(file.key)
    if file.repeats:
        return Promise(rule=f"{name}: repeated rows agree", check="repeats", columns=file.key)
    return Promise(rule=f"{name}: unique", check="key", columns=file.key)
>>>>>>> w/quality


def _column(column: Column) -> tuple[Promise, ...]:
    if column.secret:
        return ()
<<<<<<< HEAD
    optional = not column.required or column.relaxed_by is not None
    made: tuple[tuple[Check, bool], ...] = (
        ("required", column.required),
        ("form", _has_form(column)),
        ("reference", column.references is not None),
        ("unique", column.unique is not None),
        ("present", optional),
=======
    made: tuple[tuple[Check, bool], ...] = (
        ("required", column.required),
        ("form", column.form != Text()),
        ("reference", column.references is not None),
        ("unique", column.unique is not None),
        ("present", not column.required or column.relaxed_by is not None),
>>>>>>> w/quality
    )
    return tuple(
        Promise(rule=f"{column.name}: {check}", check=check, columns=(column.name,)) for check, is_made in made if is_made
    )


<<<<<<< HEAD
def _family(family: Family) -> tuple[Promise, ...]:
    made: tuple[tuple[Check, bool], ...] = (("form", _has_form(family)), ("reference", family.references is not None))
    return tuple(
        Promise(rule=f"{family.pattern}: {check}", check=check, columns=(family.pattern,)) for check, is_made in made if is_made
    )


=======
>>>>>>> w/quality
def _row_rule(rule: RowRule) -> Promise:
    if isinstance(rule, NotBefore):
        return Promise(rule=f"{rule.column}: not before {rule.other}", check="not_before", columns=(rule.column, rule.other))
    return Promise(rule=f"{', '.join(rule.need)}: together", check="together", columns=rule.columns)
<<<<<<< HEAD


def _has_form(column: Column | Family) -> bool:
    return column.form != Text()
=======
>>>>>>> w/quality
