"""The rules of a file or a table, each with the name that suites and verdicts share.

Verdict frames (``engine.validation.validate``) and suites (``projections.suite_generator``) are matched by these names only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from roster_etl.spec.field_rules import (
    AllowedOnlyWhere,
    AtMostOne,
    CompositeReference,
    NotBefore,
    ReferencedRecordType,
    RequireAnyOf,
    RequiredTogether,
    RowRule,
    SameLength,
    SelfReference,
    Text,
    WithinPeriods,
)
from roster_etl.spec.files import Column, File

RuleCheck = Literal[
    "header",
    "rows",
    "refused",
    "key",
    "required",
    "form",
    "reference",
    "unique",
    "together",
    "not_before",
    "found",
    "listed",
    "any_of",
    "repeats",
    "present",
    "agree",
]

HEADER = "file: header"
ANY_ROW = "file: a row is accepted"
REFUSED_ROWS = "file: rows refused"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule. ``name`` is its name in verdicts and suites; ``columns`` are in vendor spelling.

    What a verdict counts as checked, and as failing, for each ``check``:

    - ``header``: 1, and 1 if it does not fit
    - ``rows``: rows seen; all of them when none was accepted, else none
    - ``refused``: rows seen, rows refused (because of rows that they refer to, too)
    - ``key``: rows that got so far, those that another row of the same key shuts out (exact repeats do not fail)
    - ``required``, ``present``: rows, those with an empty cell
    - ``cell_format``, ``reference``, ``unique``: filled cells, broken ones
    - ``listed``: filled cells, those that the district's table does not list; none of either where it has no table
    - ``together``: rows with any of the columns filled, those that lack a needed one
    - ``any_of``: rows, those where all of the columns are empty
    - ``not_before``: rows, those with the dates in the wrong order
    - ``found``: rows with all the columns filled, those whose values do not stand together in the other file
    - ``agree``: rows with the columns that the rule needs filled, those that do not keep it
    - ``repeats``: rows that got so far, those that repeat a key and disagree with the row that stands (refused or not)
    """

    name: str
    check: RuleCheck
    columns: tuple[str, ...] = ()


def file_rules(file: File) -> tuple[Rule, ...]:
    """Return all rules of `file`: of the file as a whole, of its key, of its columns in order, of its rows.

    There is no key rule where rows are changes, because several may be about one record. A family without a last number has
    no column rules, because the number of its columns is unknown.
    """
    whole = (
        Rule(name=HEADER, check="header"),
        Rule(name=ANY_ROW, check="rows"),
        Rule(name=REFUSED_ROWS, check="refused"),
    )
    keys = () if file.ordered_changes else (_key_rule(file),)
    named = {key.name for key in keys}
    families = (family.column(n) for family in file.families if family.last for n in range(family.first, family.last + 1))
    columns = (promise for column in (*file.columns, *families) for promise in _column_rules(column) if promise.name not in named)
    return (*whole, *keys, *columns, *map(_row_rule, file.rules))


def table_rules(table: str, *, event: bool = False) -> tuple[Rule, ...]:
    """Return the rules of the canonical table `table`; a table of `event` rows does not expect earlier records again.

    ``key``: records; those with the key of an earlier one. ``rows``: current records; those that the import would remove.
    """
    key = Rule(name=f"{table}: key unique", check="key")
    return (key,) if event else (key, Rule(name=f"{table}: rows against last import", check="rows"))


def _key_rule(file: File) -> Rule:
    name = " + ".join(file.key)
    if file.repeats:
        return Rule(name=f"{name}: repeated rows agree", check="repeats", columns=file.key)
    return Rule(name=f"{name}: unique", check="key", columns=file.key)


def _column_rules(column: Column) -> tuple[Rule, ...]:
    if column.secret:
        return ()
    made: tuple[tuple[RuleCheck, bool], ...] = (
        ("required", column.required),
        ("form", column.cell_format != Text()),
        ("reference", column.references is not None),
        ("unique", column.unique is not None),
        ("listed", column.allowed_values_option is not None),
        ("present", column.optional_cells),
    )
    return tuple(Rule(name=f"{column.name}: {check}", check=check, columns=(column.name,)) for check, is_made in made if is_made)


def _row_rule(rule: RowRule) -> Rule:
    if isinstance(rule, NotBefore):
        return Rule(name=f"{rule.column}: not before {rule.other}", check="not_before", columns=(rule.column, rule.other))
    if isinstance(rule, CompositeReference):
        return Rule(name=f"{', '.join(rule.columns)}: in {rule.file}", check="found", columns=rule.columns)
    if isinstance(rule, RequireAnyOf):
        return Rule(name=f"{', '.join(rule.columns)}: any of", check="any_of", columns=(*rule.columns, *rule.unless))
    if isinstance(rule, RequiredTogether):
        return Rule(name=f"{', '.join(rule.required)}: together", check="together", columns=rule.columns)
    return Rule(name=agreement_name(rule), check="agree", columns=rule.columns)


def agreement_name(rule: SameLength | SelfReference | ReferencedRecordType | AtMostOne | AllowedOnlyWhere | WithinPeriods) -> str:
    """Return the name of a rule of the kind ``agree``."""
    match rule:
        case SameLength(columns=columns):
            return f"{' and '.join(columns)}: equally long"
        case SelfReference(column=column, key=key):
            return f"{column}: a {key} of the file"
        case ReferencedRecordType(column=column, file=file, expected=expected):
            return f"{column}: {file} of type {' or '.join(expected)}"
        case AtMostOne(by=by, where=where):
            return f"{', '.join(by)}: one {' '.join(column for column, _ in where)}"
        case AllowedOnlyWhere(column=column, of=of):
            return f"{column}: by {of}"
        case WithinPeriods(begin=begin, end=end, periods=periods):
            return f"{begin}, {end}: within {periods}"
