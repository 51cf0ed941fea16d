"""The format of a suite file: its fields, its defaults, and the check that reports all problems of one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

from roster_etl.spec.errors import PermanentError
from roster_etl.spec.rule_catalog import REFUSED_ROWS

RULE_TYPE = "expect_rule_to_hold"
Severity = Literal["critical", "warning", "info"]
SEVERITIES: tuple[str, ...] = get_args(Severity)
LEAST_CRITICAL_ROWS = 10  # a percentage is critical only from this many failing rows on; rejected rows have their own limit

Suite = Mapping[str, Any]


class SuiteError(PermanentError):
    """A suite, or an override of it, is invalid. ``problems`` lists all of its problems, each with its place."""

    code = "bad_suite"

    def __init__(self, where: str, problems: tuple[str, ...]) -> None:
        super().__init__(f"{where}: {'; '.join(problems)}", where=where, problems=problems)
        self.where = where
        self.problems = problems

    def __reduce__(self) -> tuple[Any, ...]:
        """Make the error picklable, to pass it between processes."""
        return (type(self), (self.where, self.problems))


def parse_suite(text: str, where: str) -> dict[str, Any]:
    """Parse and check the suite in `text`; `where` names the file in messages.

    Raises: SuiteError: invalid JSON (line and column), or any problem that :func:`check_suite` reports.
    """
    try:
        suite = json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}: not JSON ({error.msg}); look at the commas and quotes just before"
        raise SuiteError(where, (place,)) from None
    except RecursionError:
        raise SuiteError(where, ("brackets are nested too deep; a suite is a list of objects",)) from None
    check_suite(suite, where)
    return dict(suite)


def check_suite(suite: object, where: str) -> None:
    """Check that a suite can be evaluated.

    Raises: SuiteError: lists every problem, each with its place and how to fix it.
    """
    found = tuple(_problems(suite))
    if found:
        raise SuiteError(where, found)


def least_rows(kwargs: Mapping[str, Any]) -> int:
    """Return how many rows must fail before a critical expectation is critical: 1 if no row may fail, otherwise at least 10."""
    at_least = kwargs.get("at_least")
    if at_least is not None:
        return int(at_least)
    return 1 if kwargs.get("mostly") is None else LEAST_CRITICAL_ROWS


def nearest_name_hint(name: str, known: tuple[str, ...]) -> str:
    """Return a hint for a message: the most similar known name, or the number of known names if none is similar."""
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f'the nearest is "{close[0]}"' if close else f"none of the {len(known)} known is near"


def label(expectation: Mapping[str, Any]) -> str:
    """Return the name of an expectation in messages: its rule, or its type and column."""
    kwargs = expectation["kwargs"]
    if expectation["type"] == RULE_TYPE:
        return str(kwargs["rule"])
    column = kwargs.get("column") or ", ".join(kwargs.get("column_list", ()))
    return f"{expectation['type']} ({column})" if column else str(expectation["type"])


def _problems(suite: object) -> Iterator[str]:
    if not isinstance(suite, Mapping) or not isinstance(suite.get("expectations"), list):
        yield 'expected an object with "name" and a list "expectations"'
        return
    if not isinstance(suite.get("name"), str) or not suite["name"]:
        yield '"name" is missing; write vendor/file'
    seen: set[str] = set()
    for number, expectation in enumerate(suite["expectations"], start=1):
        place = f"expectation {number}"
        if not isinstance(expectation, Mapping) or not isinstance(expectation.get("kwargs"), Mapping):
            yield f'{place}: expected an object with "type" and "kwargs"'
            continue
        rule = expectation["kwargs"].get("rule")
        if isinstance(rule, str):
            place = f'{place} "{rule}"'
        yield from (f"{place}: {problem}" for problem in _expectation_problems(expectation))
        if isinstance(rule, str) and rule in seen:
            yield f"{place}: the rule occurs twice; keep one"
        seen.add(str(rule))


def _expectation_problems(expectation: Mapping[str, Any]) -> Iterator[str]:
    kind = expectation.get("type")
    if not isinstance(kind, str) or kind not in expectation_types():
        yield f"type {json.dumps(kind)} is not known; {nearest_name_hint(str(kind), expectation_types())}"
    if expectation.get("severity") not in SEVERITIES:
        yield f"severity {json.dumps(expectation.get('severity'))} is none of {', '.join(SEVERITIES)}"
    if not isinstance(expectation.get("meta", {}), Mapping):
        yield '"meta" is not an object; write {} or leave it out'
    mostly = expectation["kwargs"].get("mostly")
    if mostly is not None and not (_is_number(mostly) and 0 <= mostly <= 1):
        yield f"mostly {json.dumps(mostly)} is not a share between 0 and 1; 95 % is written 0.95"
    if kind == RULE_TYPE:
        yield from _rule_problems(expectation)


def _rule_problems(expectation: Mapping[str, Any]) -> Iterator[str]:
    kwargs = expectation["kwargs"]
    if not isinstance(kwargs.get("rule"), str):
        yield '"rule" is missing in kwargs; write the rule\'s name, such as "Grade: present"'
    unknown = sorted(set(kwargs) - {"rule", "column", "mostly", "at_least"})
    if unknown:
        yield f"kwargs has {', '.join(unknown)}; allowed are rule, column, mostly, at_least"
    column = kwargs.get("column")
    if column is not None and not isinstance(column, str):
        yield f"column {json.dumps(column)} is not a name; write the column that the rule is about"
    at_least = kwargs.get("at_least")
    if at_least is None:
        return
    if not isinstance(at_least, int) or isinstance(at_least, bool) or at_least < 1:
        yield f"at_least {json.dumps(at_least)} is not a number of rows from 1 on"
    elif at_least < LEAST_CRITICAL_ROWS and kwargs.get("mostly") is not None and kwargs.get("rule") != REFUSED_ROWS:
        yield f"at_least {at_least} is too few: a percentage is critical from {LEAST_CRITICAL_ROWS} failing rows on"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@cache
def expectation_types() -> tuple[str, ...]:
    """Return the known types: ours, and those of Great Expectations.

    Theirs are listed by file name, because importing the package takes seconds.
    """
    package = find_spec("great_expectations")
    if package is None or package.origin is None:
        return (RULE_TYPE,)
    core = Path(package.origin).parent / "expectations" / "core"
    return (RULE_TYPE, *sorted(path.stem for path in core.glob("expect_*.py")))
