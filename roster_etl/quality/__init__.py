"""Gates: a frame of verdicts, judged by a suite, gives a verdict. The only room that imports Great Expectations, and late.

Belongs here: suites in action, verdicts, a district's tolerances. Does not belong here: judging rows, publishing or holding.
"""

from roster_etl.projections.suite_files import SuiteError
from roster_etl.quality.engine_room import SuiteBroken
from roster_etl.quality.gate import VERDICT_COLUMNS, judge_suite, load_suite, load_suites
from roster_etl.quality.overrides import ToleranceOverride, check_overrides, registry_overrides, with_overrides, with_refused_rows
from roster_etl.quality.verdict import CheckResult, Verdict
from roster_etl.quality.warming import warm

__all__ = [
    "VERDICT_COLUMNS",
    "CheckResult",
    "SuiteBroken",
    "SuiteError",
    "ToleranceOverride",
    "Verdict",
    "check_overrides",
    "judge_suite",
    "load_suite",
    "load_suites",
    "registry_overrides",
    "warm",
    "with_overrides",
    "with_refused_rows",
]
