"""Gates: a frame of verdicts, judged by a suite, gives a verdict. Great Expectations is imported here only, in a process apart.

Belongs here: suites in action, verdicts, a district's tolerances. Does not belong here: judging rows, publishing or holding.
"""

from roster_etl.projections.suite_format import SuiteError
from roster_etl.quality.expectation_result import SuiteBroken
from roster_etl.quality.gate import VERDICT_COLUMNS, judge_suite, judge_suites, load_suite, load_suites
from roster_etl.quality.gx_client import GatesUnavailable, start_gates, write_data_docs_of
from roster_etl.quality.tolerance_overrides import (
    ToleranceOverride,
    check_overrides,
    registry_overrides,
    with_overrides,
    with_refused_rows,
)
from roster_etl.quality.verdict import CheckResult, Verdict

__all__ = [
    "VERDICT_COLUMNS",
    "CheckResult",
    "GatesUnavailable",
    "SuiteBroken",
    "SuiteError",
    "ToleranceOverride",
    "Verdict",
    "check_overrides",
    "judge_suite",
    "judge_suites",
    "load_suite",
    "load_suites",
    "registry_overrides",
    "start_gates",
    "with_overrides",
    "with_refused_rows",
    "write_data_docs_of",
]
