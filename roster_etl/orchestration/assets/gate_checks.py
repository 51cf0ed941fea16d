"""Gates as asset checks: two for each suite, and the one that blocks publishing.

Belongs here: names, severities, and the metadata of a check. A failed gate blocks publishing but still produces a plan: only
``publishable`` blocks. Each check is on the asset that it validates; the step of the plan evaluates them all, in one
request to the Great Expectations process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import dagster as dg

from roster_etl.orchestration.runtime.partitions import DISTRICTS
from roster_etl.pipeline.plan_decision import PlanDecision
from roster_etl.quality import Verdict

SUITE, TOLERANCES, PUBLISHABLE = "suite", "tolerances", "publishable"


def suite_specs(asset: dg.AssetKey, suite: str, partitions: dg.PartitionsDefinition) -> list[dg.AssetCheckSpec]:
    """Return the specs of the two checks of `suite` on `asset`."""
    where = f"expectations/{suite}.json"
    about = {
        SUITE: f"The critical expectations of {where}. The steps up to the plan go on if one fails, but then roster/plan's check "
        f"`{PUBLISHABLE}` fails too, and nothing is published.",
        TOLERANCES: f"The expectations of {where} that warn: a person should look, and the import is published all the same.",
    }
    return [dg.AssetCheckSpec(name, asset=asset, description=text, partitions_def=partitions) for name, text in about.items()]


def gate_results(
    suites: Mapping[dg.AssetKey, str], verdicts: Iterable[Verdict], refused: Mapping[str, str]
) -> Iterator[dg.AssetCheckResult]:
    """Yield the results of both checks of each asset in `suites`, from the verdict on its suite.

    Args: refused: suite → the code for which its file was rejected as a whole, so that no rule was evaluated.
    """
    by_suite = {verdict.name: verdict for verdict in verdicts}
    for asset, suite in suites.items():
        yield from suite_results(asset, by_suite.get(suite), refused=refused.get(suite))


def suite_results(
    asset: dg.AssetKey, verdict: Verdict | None, *, refused: str | None = None
) -> tuple[dg.AssetCheckResult, dg.AssetCheckResult]:
    """Return the results of both checks on `asset`. ``refused``: the code for which the whole file was rejected.

    ``verdict`` None: the upload does not have the file, so that nothing was evaluated.
    """
    if verdict is None:
        note = {"note": "The upload does not have this file."}
        return (
            dg.AssetCheckResult(asset_key=asset, check_name=SUITE, passed=True, metadata=note),
            dg.AssetCheckResult(asset_key=asset, check_name=TOLERANCES, passed=True, metadata=note),
        )
    critical = [f"the file was refused: {refused}"] if refused else []
    critical += [result.text for result in verdict.failures("critical")]
    warned = [result.text for result in verdict.failures("warning", "info")]
    return (
        _result(asset, SUITE, dg.AssetCheckSeverity.ERROR, critical, verdict),
        _result(asset, TOLERANCES, dg.AssetCheckSeverity.WARN, warned, verdict),
    )


def publishable_spec(asset: dg.AssetKey) -> dg.AssetCheckSpec:
    """Return the check that blocks the publishing step."""
    about = "No critical gate failed, no threshold is exceeded: what is planned may be published without asking a person."
    return dg.AssetCheckSpec(PUBLISHABLE, asset=asset, blocking=True, description=about, partitions_def=DISTRICTS)


def publishable_result(asset: dg.AssetKey, planned: PlanDecision, reason: str) -> dg.AssetCheckResult:
    """Return whether a plan may be published; `reason` is the text why not."""
    passed = planned.decision in ("publish", "unchanged")
    metadata = {"decision": planned.decision, **({} if passed else {"reason": reason})}
    return dg.AssetCheckResult(
        asset_key=asset, check_name=PUBLISHABLE, passed=passed, severity=dg.AssetCheckSeverity.ERROR, metadata=metadata
    )


def _result(
    asset: dg.AssetKey, name: str, severity: dg.AssetCheckSeverity, failed: list[str], verdict: Verdict
) -> dg.AssetCheckResult:
    lines = "\n".join(f"- {text}" for text in failed)
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=not failed,
        severity=severity,
        metadata={
            "expectations": len(verdict.results),
            "failed": len(failed),
            **({"failed_expectations": dg.MetadataValue.md(lines)} if failed else {}),
        },
    )
