"""The expectation that a rule fails on no more rows than its tolerance, as Great Expectations runs, stores and shows it.

Importing this module imports Great Expectations, which takes seconds: only ``gx_runner`` does it, inside a function.
"""

from __future__ import annotations

from typing import Any, ClassVar

from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration, parse_result_format
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from great_expectations.render.components import LegacyDiagnosticRendererType, LegacyRendererType, RenderedStringTemplateContent
from great_expectations.render.renderer.renderer import renderer
from great_expectations.render.renderer_configuration import RendererConfiguration, RendererValueType
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.validator import ValidationDependencies

from roster_etl.quality.verdict import is_within_tolerance, requirement_text, share_text

METRIC = "table.rule_verdicts"


class RuleVerdicts(TableMetricProvider):
    """The rows of a verdict table, read once per batch: (rows evaluated, rows failing) by rule."""

    metric_name = METRIC

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(
        cls,  # noqa: N805 - the decorator makes it a class method
        execution_engine: PandasExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        **_: object,
    ) -> dict[str, tuple[int, int]]:
        frame, _compute, _accessor = execution_engine.get_compute_domain(
            domain_kwargs=metric_domain_kwargs, domain_type=MetricDomainTypes.TABLE
        )
        return {rule: (int(judged), int(failing)) for rule, judged, failing in frame[["rule", "judged", "failing"]].to_numpy()}


class ExpectRuleToHold(BatchExpectation):
    """Expect that a rule of the format holds, for at least the share ``mostly`` of the rows on which it was evaluated.

    The batch is a verdict table, not data. ``mostly`` None: every row. ``at_least``: the number of failing rows from which a
    critical failure is critical; the gate reads it, success does not depend on it. ``column`` is for the reader. A rule without a
    row was not evaluated, because the upload does not have its column: success, with nothing observed.
    """

    rule: str
    column: str | None = None
    mostly: float | None = None
    at_least: int | None = None

    metric_dependencies: ClassVar[tuple[str, ...]] = (METRIC,)
    success_keys: ClassVar[tuple[str, ...]] = ("rule", "mostly")
    args_keys: ClassVar[tuple[str, ...]] = ("rule", "column", "mostly", "at_least")

    def get_validation_dependencies(
        self, execution_engine: Any = None, runtime_configuration: dict[str, Any] | None = None
    ) -> ValidationDependencies:
        """Return the one metric, of the whole batch.

        The inherited method serializes the expectation a dozen times for the same result.
        """
        domain = {key: getattr(self, key, None) for key in RuleVerdicts.domain_keys}
        metric = MetricConfiguration(metric_name=METRIC, metric_domain_kwargs=domain, metric_value_kwargs={})
        wanted = parse_result_format((runtime_configuration or {}).get("result_format", self.result_format))
        return ValidationDependencies(metric_configurations={METRIC: metric}, result_format=wanted)

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: Any = None,
    ) -> dict[str, Any]:
        line = metrics[METRIC].get(self.rule)
        if line is None:
            return {"success": True, "result": {"observed_value": None}}
        judged, failing = line
        share = failing / judged if judged else 0.0
        details = {"judged": judged, "failing": failing}
        return {
            "success": is_within_tolerance(judged, failing, self.mostly),
            "result": {"observed_value": share, "details": details},
        }

    @classmethod
    def _prescriptive_template(cls, renderer_configuration: RendererConfiguration[Any]) -> RendererConfiguration[Any]:
        promise = requirement_text(renderer_configuration.kwargs.get("mostly"))
        renderer_configuration.add_param(name="rule", param_type=RendererValueType.STRING)
        renderer_configuration.template_str = f"$rule, {promise}"
        return renderer_configuration

    @classmethod
    @renderer(renderer_type=LegacyRendererType.PRESCRIPTIVE)
    def _prescriptive_renderer(
        cls,
        configuration: ExpectationConfiguration | None = None,
        result: Any = None,
        runtime_configuration: dict[str, Any] | None = None,
    ) -> list[RenderedStringTemplateContent]:
        kwargs = (configuration or result.expectation_config).kwargs
        template = {
            "template": f"$rule, {requirement_text(kwargs.get('mostly'))}",
            "params": {"rule": kwargs["rule"]},
            "styling": (runtime_configuration or {}).get("styling"),
        }
        return [RenderedStringTemplateContent(content_block_type="string_template", string_template=template)]

    @classmethod
    @renderer(renderer_type=LegacyDiagnosticRendererType.OBSERVED_VALUE)
    def _diagnostic_observed_value_renderer(cls, result: Any = None, **_: object) -> str:  # type: ignore[override]
        details = (result.result or {}).get("details")
        if not details:
            return "not evaluated"
        judged, failing = details["judged"], details["failing"]
        return f"{failing:,} of {judged:,} fail ({share_text(judged, failing)})"
