"""Gates: evaluate suites over verdict tables (rows evaluated and failing, by rule).

Only this package imports Great Expectations.
"""

from roster_etl.projections.suite_format import SuiteError
from roster_etl.quality.expectation_result import SuiteBroken
from roster_etl.quality.gate import (
    evaluate_suite,
    evaluate_suites,
    has_failing_rules,
    load_effective_suites,
    load_suite,
    load_suites,
)
from roster_etl.quality.gx_client import GatesUnavailable, render_data_docs, start_gx_process
from roster_etl.quality.tolerance_overrides import (
    ToleranceOverride,
    apply_overrides,
    apply_refused_rows_limits,
    check_overrides,
    registry_overrides,
)
from roster_etl.quality.verdict import CheckResult, Verdict
