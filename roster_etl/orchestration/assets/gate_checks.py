"""Gates as asset checks: two for each suite, and the one that stops publishing.

Belongs here: names, severities, and what a check shows. A gate stops publishing, not looking: only ``publishable`` blocks.
"""

from __future__ import annotations

import dagster as dg

from roster_etl.orchestration.runtime.partitions import DISTRICTS
from roster_etl.pipeline.planned import Planned
from roster_etl.quality import Verdict

SUITE, TOLERANCES, PUBLISHABLE = "suite", "tolerances", "publishable"


def suite_specs(asset: dg.AssetKey, suite: str) -> list[dg.AssetCheckSpec]:
    """Return the checks that the suite named `suite` is shown as on `asset`."""
    where = f"expectations/{suite}.json"
    about = {
        SUITE: f"The critical expectations of {where}. The steps up to the plan go on if one fails, but then roster/plan's check "
        f"`{PUBLISHABLE}` fails too, and nothing is published.",
        TOLERANCES: f"The expectations of {where} that warn: a person should look, and the import is published all the same.",
    }
    return [dg.AssetCheckSpec(name, asset=asset, description=text, partitions_def=DISTRICTS) for name, text in about.items()]


def suite_results(verdict: Verdict | None, *, refused: str | None = None) -> list[dg.AssetCheckResult]:
    """Return the results of both checks. ``refused``: the code for which the whole file was refused, so that no rule could be judged.

    ``verdict`` None: the upload does not have the file, so that there is nothing to judge.
    """
    if verdict is None:
        absent = {"note": "The upload does not have this file."}
        return [dg.AssetCheckResult(check_name=name, passed=True, metadata=absent) for name in (SUITE, TOLERANCES)]
    critical = [f"the file was refused: {refused}"] if refused else []
    critical += [result.text for result in verdict.failures("critical")]
    return [
        _result(SUITE, dg.AssetCheckSeverity.ERROR, critical, verdict),
        _result(TOLERANCES, dg.AssetCheckSeverity.WARN, [result.text for result in verdict.failures("warning", "info")], verdict),
    ]


def publishable_spec(asset: dg.AssetKey) -> dg.AssetCheckSpec:
    """Return the check that stands before the writer."""
    about = "No critical gate failed, no threshold is exceeded: what is planned may be published without asking a person."
    return dg.AssetCheckSpec(PUBLISHABLE, asset=asset, blocking=True, description=about, partitions_def=DISTRICTS)


def publishable_result(planned: Planned, reason: str) -> dg.AssetCheckResult:
    """Return whether a plan may be published; `reason` not, in words."""
    passed = planned.decision in ("publish", "unchanged")
    metadata = {"decision": planned.decision, **({} if passed else {"why": reason})}
    return dg.AssetCheckResult(check_name=PUBLISHABLE, passed=passed, severity=dg.AssetCheckSeverity.ERROR, metadata=metadata)


def _result(name: str, severity: dg.AssetCheckSeverity, failed: list[str], verdict: Verdict) -> dg.AssetCheckResult:
    lines = "\n".join(f"- {text}" for text in failed)
    return dg.AssetCheckResult(
        check_name=name,
        passed=not failed,
        severity=severity,
        metadata={
            "expectations": len(verdict.results),
            "failed": len(failed),
            **({"what failed": dg.MetadataValue.md(lines)} if failed else {}),
        },
    )
