"""Describe a column plan in words: the sources and functions of a target column.

The sentences are printed from the same objects that are evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingABC

from roster_etl.mapping.change_plan import ChangePlan
from roster_etl.mapping.column_plan import (
    RECEIVED_ON,
    AnyRow,
    AssignUnique,
    Computed,
    Const,
    EnclosingItem,
    Expression,
    FirstOf,
    ForEvery,
    From,
    FromTargets,
    Function,
    IfOption,
    Lookup,
    Mapping,
    MostCommon,
    NullIfConflicting,
    NullIfUniform,
    OfUpload,
    RowNumber,
    SplitList,
    Step,
    Unpivot,
)

Options = MappingABC[str, object]
_UPLOAD_TEXTS = {RECEIVED_ON: "the day on which the upload arrived, in the district's time zone"}


def describe_expression(expression: Expression, options: Options | None = None) -> str:
    """Return a description of `expression`, such as "recode(Grade)". With `options`, only the branch that they select."""
    match expression:
        case From(sources=sources, via=None):
            return f"{sources[0]}, as given"
        case From(sources=sources, via=via, option=option) if via is not None:
            return _describe_call(via, (*sources, *((f"option {option}",) if option else ())))
        case FromTargets(targets=targets, via=via):
            return _describe_call(via, targets)
        case Const(value=value):
            return f"always {_option_text(value)}"
        case OfUpload(what=what):
            return _UPLOAD_TEXTS[what]
        case FirstOf(choices=choices):
            return "; else ".join(describe_expression(choice, options) for choice in choices)
        case IfOption(option=option, equals=equals, then=then, otherwise=otherwise):
            if options is not None:
                return describe_expression(then if options[option] == equals else otherwise, options)
            condition = f"where {option} is {_option_text(equals)}"
            return f"{condition}: {describe_expression(then)}; otherwise: {describe_expression(otherwise)}"
    raise AssertionError(expression)


def describe_change_column(plan: ChangePlan, table: str, column: str) -> str | None:
    """Return how change rows set `column` of `table`; None: they do not."""
    found = [
        f"{given.column if given.via is None else _describe_call(given.via, (given.column,))} of {kind.name}, where blank {given.blank} what was there"
        for kind in plan.kinds
        for given in kind.columns
        if kind.table == table and given.to == column
    ]
    return "; or ".join(found) or None


def describe_step(mapping: Mapping, column: str) -> str | None:
    """Return how a step computed `column` of the mapped rows; None: it is a column of the source file."""
    return next((words for step in mapping.steps if (words := _describe_added_column(step, column))), None)


def _describe_added_column(step: Step, column: str) -> str | None:
    words: str | None = None
    match step:
        case Lookup(take=take, on=on, file=file) if column in take:
            of = f"the first {' or '.join(step.where.values)} among the rows" if step.where else "the row"
            words = f"{take[column]} of {of} of {file} that {on} names"
        case AssignUnique(take=take) if column in take:
            words = f"{take[column]}, unless another record has it"
        case MostCommon(name=name, value=value, file=file, through=through) if column == name:
            words = f"the most common {value} among the {file} that {through} links to it"
        case NullIfUniform(name=name, column=source) if column == name:
            words = f"{source}, unless all rows have the same"
        case AnyRow(name=name, column=source, by=by, values=values) if column == name:
            words = f"whether a row of the same {by} has {' or '.join(values)} in {source}"
        case NullIfConflicting(name=name, column=source, by=by) if column == name:
            words = f"{source}, where the rows of one {by} agree about it"
        case Computed(name=name, columns=columns, via=via) if column == name:
            words = _describe_call(via, columns)
        case _:
            words = _describe_row_step(step, column)
    return words and f"{column}: {words}"


def _describe_row_step(step: Step, column: str) -> str | None:
    """Describe `column` if it comes from a step that makes or counts rows."""
    words = None
    match step:
        case ForEvery(name=name, take=take, file=file, column=source, value=value) if column == name:
            words = f"each {take} of {file}, since {source} says {value}"
        case Unpivot(value=name, columns=columns, family=family) if column == name:
            words = f"each of {', '.join((*columns, *((family,) if family else ())))} in turn"
        case SplitList(value=name, column=source) if column == name:
            words = f"each item of {source} in turn"
        case SplitList(position=name, column=source) if column == name:
            words = f"its place in {source}"
        case EnclosingItem(name=name, column=source) if column == name:
            words = f"the item of {source} whose dates hold those of the others, else the first"
        case Unpivot(position=name) | RowNumber(name=name) if column == name:
            words = "its place among the rows of the record"
    return words


def describe_column(mapping: Mapping, target: str, options: Options | None = None) -> str:
    """Return how `mapping` computes `target`, including the steps that made its source columns."""
    expression = mapping.columns[target]
    steps = [words for column in _source_columns(expression, options) if (words := describe_step(mapping, column))]
    return "; ".join([describe_expression(expression, options), *dict.fromkeys(steps)])


def _describe_call(function: Function, columns: tuple[str, ...]) -> str:
    """Describe a call of `function` with `columns`; functions that wrap others are described by what they wrap."""
    name = str(getattr(function, "__qualname__", type(function).__name__)).split(".<locals>", 1)[0]
    inner = _inner(function)
    if name == "chained" and inner:
        text = _describe_call(inner[0], columns)
        for following in inner[1:]:
            text = _describe_call(following, (text,))
        return text
    if name == "if_first_given" and inner:
        return f"{_describe_call(inner[0], columns)} where {columns[0]} is given"
    if name == "or_else" and inner:
        return f"{columns[0]}, else {_describe_call(inner[0], columns[1:])}"
    if name == "with_constants" and inner:
        return _describe_call(inner[0], (*columns, *(f'"{text}"' for text in _texts(function))))
    if name == "of_dates" and inner:
        return _describe_call(inner[0], ("no name", *(f"the day of {column}" for column in columns)))
    if name == "with_us_dates" and inner:
        return _describe_call(inner[0], (columns[0], *(f"the day of {column}" for column in columns[1:])))
    return f"{name}({', '.join(columns)})"


def _inner(function: Function) -> tuple[Function, ...]:
    """Return the functions in the closure of a function that was made by another one."""
    held = [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]
    return tuple(f for value in held for f in (value if isinstance(value, tuple) else (value,)) if callable(f))


def _texts(function: Function) -> tuple[str, ...]:
    """Return the texts in the closure of a function that was made by another one."""
    held = [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]
    return tuple(text for value in held if isinstance(value, tuple) for text in value if isinstance(text, str))


def _option_text(value: object) -> str:
    return value if isinstance(value, str) else str(value).lower()


def _source_columns(expression: Expression, options: Options | None) -> tuple[str, ...]:
    match expression:
        case From(sources=sources):
            return sources
        case FirstOf(choices=choices):
            return tuple(column for choice in choices for column in _source_columns(choice, options))
        case IfOption(option=option, equals=equals, then=then, otherwise=otherwise):
            if options is not None:
                return _source_columns(then if options[option] == equals else otherwise, options)
            return (*_source_columns(then, options), *_source_columns(otherwise, options))
        case _:
            return ()
