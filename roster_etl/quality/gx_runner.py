"""Running expectations over one frame with Great Expectations, and taking only counts out of it.

Belongs here: loading Great Expectations, and everything that it wants to be told; it happens in the gates' own process. Does not belong
here: severities, tolerances, words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import pandas as pd

from roster_etl.projections.suite_format import label
from roster_etl.quality.expectation_result import ExpectationResult, SuiteBroken

POSITION_KEY = "place"  # meta key: results come back in an order of their own
COUNTS_ONLY = {
    "result_format": "BASIC",
    "partial_unexpected_count": 0,
    "exclude_unexpected_values": True,
    "return_unexpected_index_query": False,
}


def load_great_expectations() -> ModuleType:
    """Return the package, with our expectation registered in it; only the first call takes time."""
    import great_expectations as gx

    from roster_etl.quality import rule_expectation  # noqa: F401 - registers itself

    return gx


def run_expectations(name: str, expectations: Sequence[Mapping[str, Any]], frame: pd.DataFrame) -> tuple[ExpectationResult, ...]:
    """Return what each of `expectations` found in `frame`, in their order.

    Raises: SuiteBroken: expectations cannot be built, or raised; says which and by what kind of error, never its message,
    which may quote cells.
    """
    validated = validate(build_suite(name, expectations), frame)
    results = {result.expectation_config.meta[POSITION_KEY]: result for result in validated.results}
    raised = {place: kinds for place, result in results.items() if (kinds := _error_kinds(result.exception_info))}
    if raised:
        problems = tuple(f"{label(expectations[place])} raised {', '.join(raised[place])}" for place in sorted(raised))
        raise SuiteBroken(name, problems)
    return tuple(_expectation_result(results[place]) for place in range(len(expectations)))


def build_suite(name: str, expectations: Sequence[Mapping[str, Any]]) -> Any:
    """Return the suite as Great Expectations has it. Raises SuiteBroken: an expectation cannot be built."""
    return load_great_expectations().ExpectationSuite(name=name, expectations=_build_expectations(name, expectations))


def validate(suite: Any, frame: pd.DataFrame) -> Any:
    """Return the result of `suite` over `frame`: counts, no value."""
    return _batch(load_great_expectations(), frame).validate(suite, result_format=COUNTS_ONLY)


def _build_expectations(name: str, expectations: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Build the expectations one by one, so that every one that cannot be built is named."""
    from great_expectations.compatibility.pydantic import ValidationError
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    built, problems = [], []
    for place, expectation in enumerate(expectations):
        configuration = ExpectationConfiguration(
            type=expectation["type"],
            kwargs=dict(expectation["kwargs"]),
            severity=expectation["severity"],
            meta={POSITION_KEY: place},
        )
        try:
            built.append(configuration.to_domain_obj())
        except ValidationError as error:
            problems += [f"{label(expectation)}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
    if problems:
        raise SuiteBroken(name, tuple(problems))
    return built


def _batch(gx: ModuleType, frame: pd.DataFrame) -> Any:
    """Return `frame` as a batch of a context of its own: a shared one would keep every result of the process."""
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),  # else a folder in /tmp each time
            progress_bars=ProgressBarsConfig(globally=False),
            analytics_enabled=False,
        ),
    )
    asset = context.data_sources.add_pandas("frames").add_dataframe_asset("frame")
    return asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": frame})


def _error_kinds(exception_info: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the kinds of errors in `exception_info`, which is one entry, or one for each metric that failed."""
    entries = [exception_info] if "raised_exception" in exception_info else list(exception_info.values())
    return tuple(sorted({_kind(entry) for entry in entries if entry["raised_exception"]}))


def _kind(entry: Mapping[str, Any]) -> str:
    """Return the class of the error that a traceback ends with, without its message."""
    kinds = re.findall(r"^([\w.]+)(?::|$)", str(entry.get("exception_traceback") or ""), flags=re.MULTILINE)
    return kinds[-1].rsplit(".", 1)[-1] if kinds else "an error"


def _expectation_result(result: Any) -> ExpectationResult:
    """Return the counts of `result`; anything else that it may hold, such as a column's least value, stays behind."""
    counts = {**result.result, **result.result.get("details", {})}
    judged, failing = counts.get("judged", counts.get("element_count")), counts.get("failing", counts.get("unexpected_count"))
    return ExpectationResult(
        passed=bool(result.success),
        judged=None if judged is None else int(judged),
        failing=None if failing is None else int(failing),
    )
