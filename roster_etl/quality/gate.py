"""The gate: is a file, or a table, as a whole believable? A suite over a verdict frame gives a verdict.

Belongs here: loading suites, judging by them, and what severity a failure has in the end. Does not belong here: judging rows
(``engine.judge``), deciding what a failed gate stops (``pipeline``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from roster_etl.projections.suite_files import RULE_TYPE, Severity, Suite, SuiteError, check_suite, label, least_rows, parse_suite
from roster_etl.quality.engine_room import Observed, run_expectations
from roster_etl.quality.overrides import ToleranceOverride, with_overrides
from roster_etl.quality.verdict import CheckResult, Verdict

VERDICT_COLUMNS = ("rule", "column", "check", "judged", "failing")


def load_suite(path: Path) -> dict[str, Any]:
    """Return the suite in the file `path`.

    Raises: SuiteError: the file is missing, is not JSON, or says something that cannot be followed: file, place, what to do.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SuiteError(str(path), ("there is no such file; `roster-etl generate` writes it",)) from None
    except UnicodeDecodeError as error:
        raise SuiteError(str(path), (f"byte {error.start} is not UTF-8; save the file as UTF-8",)) from None
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


def judge_suite(
    suite: Suite, frame: pd.DataFrame, *, overrides: Sequence[ToleranceOverride] = (), rows: pd.DataFrame | None = None
) -> Verdict:
    """Judge by `suite`, for one district.

    Args:
        suite: as :func:`load_suite` returns it.
        frame: the verdict frame: one line a rule, columns VERDICT_COLUMNS, ``judged`` and ``failing`` whole numbers of rows.
        overrides: the district's; those of other suites are passed over (``check_overrides`` finds the misspelt ones).
        rows: a narrow frame of the rows themselves, for expectations other than ours; only counts are taken from it.
    Returns: results in the suite's order; an expectation whose rule has no line passes, with nothing judged.
    Raises: SuiteError: the suite or an override cannot be followed. SuiteBroken: an expectation could not be evaluated.
        ValueError: `frame` is no verdict frame.
    """
    check_suite(suite, str(suite.get("name", "suite")))
    _check_frame(frame)
    overridden = with_overrides(suite, overrides)
    expectations = overridden["expectations"]
    observed = _observations(overridden["name"], expectations, frame, rows)
    return Verdict(name=overridden["name"], results=tuple(map(_result, expectations, observed)))


def _check_frame(frame: pd.DataFrame) -> None:
    missing = [column for column in VERDICT_COLUMNS if column not in frame.columns]
    if missing:
        raise ValueError(f"verdict frame lacks {', '.join(missing)}")
    if frame[["rule", "judged", "failing"]].isna().to_numpy().any():
        raise ValueError("verdict frame: rule, judged and failing must be filled")
    wrong = frame["rule"].duplicated() | (frame["failing"] > frame["judged"]) | (frame["failing"] < 0)
    if wrong.any():
        rules = ", ".join(frame.loc[wrong.to_numpy(), "rule"])
        raise ValueError(f"verdict frame: a rule stands twice, or more rows fail than were judged: {rules}")


def _observations(
    name: str, expectations: Sequence[Mapping[str, Any]], frame: pd.DataFrame, rows: pd.DataFrame | None
) -> Iterator[Observed]:
    """Return what each expectation found, in order: ours in the verdict frame, others in the rows."""
    of_rules = [expectation for expectation in expectations if expectation["type"] == RULE_TYPE]
    of_rows = [expectation for expectation in expectations if expectation["type"] != RULE_TYPE]
    if of_rows and rows is None:
        raise SuiteError(
            name, tuple(f"{label(e)}: needs the rows, but here only rules are judged; use {RULE_TYPE}" for e in of_rows)
        )
    by_rule = iter(run_expectations(name, of_rules, frame) if of_rules else ())
    by_rows = iter(run_expectations(name, of_rows, rows) if of_rows and rows is not None else ())
    return (next(by_rule if expectation["type"] == RULE_TYPE else by_rows) for expectation in expectations)


def _result(expectation: Mapping[str, Any], observed: Observed) -> CheckResult:
    return CheckResult(
        rule=label(expectation),
        check=str(expectation.get("meta", {}).get("check", "")),
        severity=_severity(expectation, observed),
        passed=observed.passed,
        judged=observed.judged,
        failing=observed.failing,
        mostly=expectation["kwargs"].get("mostly"),
    )


def _severity(expectation: Mapping[str, Any], observed: Observed) -> Severity:
    """Return the severity as it counts: a critical percentage that fails on few rows is a warning."""
    declared: Severity = expectation["severity"]
    few = observed.failing is not None and observed.failing < least_rows(expectation["kwargs"])
    return "warning" if declared == "critical" and not observed.passed and few else declared
