"""Gates: evaluate a suite over the verdict table of a file or canonical table as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import pyarrow as pa

from roster_etl.projections.suite_format import (
    RULE_TYPE,
    Severity,
    Suite,
    SuiteError,
    check_suite,
    label,
    least_rows,
    nearest_name_hint,
    parse_suite,
)
from roster_etl.projections.suite_generator import check_hand_written
from roster_etl.quality.expectation_result import ExpectationResult
from roster_etl.quality.gx_client import GX_CLIENT, SuiteRequest
from roster_etl.quality.tolerance_overrides import ToleranceOverride, apply_overrides
from roster_etl.quality.verdict import CheckResult, Verdict, is_within_tolerance

VERDICT_COLUMNS = ("rule", "column", "check", "judged", "failing")
_COUNTS = ("rule", "judged", "failing")


def load_suite(path: Path) -> dict[str, Any]:
    """Return the suite in the file `path`.

    Raises: SuiteError: the file is missing, is not JSON, or has invalid content; with the file, the place and what to do.
    """
    try:
        found = path.stat()
        return _parsed_suite(path, (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))
    except FileNotFoundError:
        raise SuiteError(str(path), ("there is no such file; `roster-etl generate` writes it",)) from None
    except OSError as error:  # a link to itself
        raise SuiteError(str(path), (f"it cannot be read ({error.strerror})",)) from None


@lru_cache(maxsize=1000)
def _parsed_suite(path: Path, _: tuple[int, ...]) -> dict[str, Any]:
    """Return the suite in a file of this version: a process with many imports reads each file once. Nobody changes what it gets."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SuiteError(str(path), (f"byte {error.start} is not UTF-8; save the file as UTF-8",)) from None
    except OSError as error:
        problem = f"it cannot be read ({error.strerror}); put a file there that the user of this process can read"
        raise SuiteError(str(path), (problem,)) from None
    return parse_suite(text, str(path))


def load_suites(folder: Path) -> dict[str, dict[str, Any]]:
    """Return every suite below `folder` (``expectations/``) by its name.

    Raises: SuiteError: see :func:`load_suite`; or a file's name and the suite's differ.
    """
    suites = {}
    for path in sorted(folder.glob("*/*.json")):
        suite = load_suite(path)
        expected = f"{path.parent.name}/{path.stem}"
        if suite["name"] != expected:
            raise SuiteError(str(path), (f'the suite is named "{suite["name"]}"; name it "{expected}", as the file',))
        suites[expected] = suite
    return suites


def load_effective_suites(folder: Path) -> dict[str, dict[str, Any]]:
    """Return every suite of the package by its name, and in place of some of them those below the home's `folder`, if it exists.

    Raises: SuiteError: see :func:`load_suites`; or a suite of the home that the package does not have, or a hand-written expectation in one
        about a rule that does not exist: these would never be evaluated.
    """
    with as_file(files("roster_etl") / "expectations") as packaged:
        suites = load_suites(packaged)
    own = load_suites(folder)
    for name in sorted(own.keys() - suites.keys()):
        raise SuiteError(f"{folder}/{name}.json", (f"no suite has this name; {nearest_name_hint(name, tuple(suites))}",))
    for name, suite in own.items():
        check_hand_written(suite, f"{folder}/{name}.json")
    return {**suites, **own}


def evaluate_suites(gated: Sequence[tuple[Suite, pa.Table]], *, overrides: Sequence[ToleranceOverride] = ()) -> list[Verdict]:
    """Evaluate suites over their verdict tables, for one district, in one request to the Great Expectations process.

    It judges the rules that more rows broke than their tolerance allows, so that no rule fails but by its answer. A rule within its
    tolerance holds, and is not asked about (decision 0055): an upload of which no rule fails needs no process.

    Args:
        gated: each suite, as :func:`load_suite` returns it, with its verdict table: one row per rule, columns VERDICT_COLUMNS,
            ``judged`` and ``failing`` whole numbers of rows.
        overrides: the district's; those of other suites are ignored (``check_overrides`` finds the misspelt ones).
    Returns: one verdict per suite, in their order; results in the suite's order. An expectation whose rule has no row passes,
        with nothing evaluated.
    Raises: SuiteError: a suite or an override is invalid. SuiteBroken: an expectation could not be evaluated.
        GatesUnavailable: the process gave no answer. ValueError: a table is not a verdict table.
    """
    requests = [_request(suite, table, overrides) for suite, table in gated]
    return [
        Verdict(name=request.name, results=tuple(map(_result, request.expectations, observed)))
        for request, observed in zip(requests, _observe(requests), strict=True)
    ]


def evaluate_suite(suite: Suite, table: pa.Table, *, overrides: Sequence[ToleranceOverride] = ()) -> Verdict:
    """Evaluate one suite over its verdict table, as :func:`evaluate_suites` does."""
    (verdict,) = evaluate_suites([(suite, table)], overrides=overrides)
    return verdict


def _request(suite: Suite, table: pa.Table, overrides: Sequence[ToleranceOverride]) -> SuiteRequest:
    """Return the request for one suite to the Great Expectations process. Raises SuiteError, ValueError."""
    check_suite(suite, str(suite.get("name", "suite")))
    _check_table(table)
    overridden = apply_overrides(suite, overrides)
    expectations = overridden["expectations"]
    _check_kinds(overridden["name"], expectations)
    lines = {column: table.column(column).to_pylist() for column in _COUNTS}
    return SuiteRequest(name=overridden["name"], expectations=expectations, lines=lines)


def has_failing_rules(suite: Suite, table: pa.Table) -> bool:
    """Return whether a rule of `suite` fails, by its verdict table: the Great Expectations process will be asked."""
    return None in _held(suite["expectations"], {column: table.column(column).to_pylist() for column in _COUNTS})


def _observe(requests: Sequence[SuiteRequest]) -> list[tuple[ExpectationResult, ...]]:
    """Return the result of each expectation of each of `requests`, in their order. Raises as `evaluate_suites`."""
    held = [_held(one.expectations, one.lines) for one in requests]
    asked = [_failing_part(one, known) for one, known in zip(requests, held, strict=True) if None in known]
    judged = iter(GX_CLIENT.run_expectations(asked))
    found = []
    for known in held:
        results = iter(next(judged) if None in known else ())
        found.append(tuple(next(results) if one is None else one for one in known))
    return found


def _held(expectations: Sequence[Mapping[str, Any]], columns: Mapping[str, Sequence[Any]]) -> list[ExpectationResult | None]:
    """Return the result of each expectation that does not fail; None: more rows broke the rule than its tolerance allows."""
    lines = {rule: (judged, failing) for rule, judged, failing in zip(*(columns[name] for name in _COUNTS), strict=True)}
    return [_result_within(lines.get(one["kwargs"].get("rule")), one["kwargs"].get("mostly")) for one in expectations]


def _result_within(line: tuple[int, int] | None, mostly: float | None) -> ExpectationResult | None:
    """Return the result of a rule by the rows on which it was evaluated, and which broke it (None: not evaluated); None: it fails."""
    judged, failing = line or (None, None)
    if judged is not None and failing is not None and not is_within_tolerance(judged, failing, mostly):
        return None
    return ExpectationResult(passed=True, judged=judged, failing=failing)


def _failing_part(request: SuiteRequest, held: Sequence[ExpectationResult | None]) -> SuiteRequest:
    """Return what Great Expectations is asked: the expectations that fail, and their counts."""
    asked = [one for one, known in zip(request.expectations, held, strict=True) if known is None]
    rules = {one["kwargs"]["rule"] for one in asked}
    places = [place for place, rule in enumerate(request.lines["rule"]) if rule in rules]
    lines = {name: [request.lines[name][place] for place in places] for name in _COUNTS}
    return SuiteRequest(name=request.name, expectations=asked, lines=lines)


def _check_kinds(name: str, expectations: Sequence[Mapping[str, Any]]) -> None:
    of_rows = [expectation for expectation in expectations if expectation["type"] != RULE_TYPE]
    if of_rows:
        raise SuiteError(name, tuple(f"{label(e)}: a suite evaluates rules, not rows; use {RULE_TYPE}" for e in of_rows))


def _check_table(table: pa.Table) -> None:
    missing = [column for column in VERDICT_COLUMNS if column not in table.column_names]
    if missing:
        raise ValueError(f"verdict table lacks {', '.join(missing)}")
    if any(table.column(column).null_count for column in _COUNTS):
        raise ValueError("verdict table: `rule`, `judged` and `failing` must be filled")
    seen: set[str] = set()
    wrong = []
    for rule, judged, failing in zip(*(table.column(column).to_pylist() for column in _COUNTS), strict=True):
        if rule in seen or not 0 <= failing <= judged:
            wrong.append(rule)
        seen.add(rule)
    if wrong:
        raise ValueError(f"verdict table: a rule occurs twice, or more rows fail than were evaluated: {', '.join(wrong)}")


def _result(expectation: Mapping[str, Any], observed: ExpectationResult) -> CheckResult:
    return CheckResult(
        rule=label(expectation),
        check=str(expectation.get("meta", {}).get("check", "")),
        severity=_severity(expectation, observed),
        passed=observed.passed,
        judged=observed.judged,
        failing=observed.failing,
        mostly=expectation["kwargs"].get("mostly"),
    )


def _severity(expectation: Mapping[str, Any], observed: ExpectationResult) -> Severity:
    """Return the effective severity: a critical percentage that fails on few rows is a warning."""
    declared: Severity = expectation["severity"]
    few = observed.failing is not None and observed.failing < least_rows(expectation["kwargs"])
    return "warning" if declared == "critical" and not observed.passed and few else declared
