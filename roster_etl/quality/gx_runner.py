"""Run expectations over a verdict table with Great Expectations, and return only counts.

Belongs here: loading and configuring Great Expectations; it runs in a process of its own. Does not belong here: severities,
tolerances, texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import pandas as pd

from roster_etl.projections.suite_format import label
from roster_etl.quality.expectation_result import ExpectationResult, SuiteBroken

POSITION_KEY = "place"  # meta key: the library returns results in another order
COUNTS_ONLY = {
    "result_format": "BASIC",
    "partial_unexpected_count": 0,
    "exclude_unexpected_values": True,
    "return_unexpected_index_query": False,
}


def load_great_expectations() -> ModuleType:
    """Return the package with our expectation registered; only the first call is slow."""
    import great_expectations as gx

    from roster_etl.quality import rule_expectation  # noqa: F401 - registers itself

    return gx


Lines = Mapping[str, list[Any]]
"""The columns of a verdict table, by name."""


def run_suites(suites: Sequence[tuple[str, Sequence[Mapping[str, Any]], Lines]]) -> list[tuple[ExpectationResult, ...]]:
    """Return the result of each expectation of each of `suites` (name, expectations, lines), in their order.

    Raises: SuiteBroken: as `run_expectations` does, for the first suite that cannot be evaluated.
    """
    whole = whole_frames()
    return [run_expectations(name, expectations, pd.DataFrame(lines), whole) for name, expectations, lines in suites]


def run_expectations(
    name: str, expectations: Sequence[Mapping[str, Any]], frame: pd.DataFrame, whole: Any = None
) -> tuple[ExpectationResult, ...]:
    """Return the result of each of `expectations` over `frame`, in their order.

    Args: whole: the return value of `whole_frames`, if several suites share it.
    Raises: SuiteBroken: expectations cannot be built, or raised an error; with the expectation and the class of the error, never
    its message, which may quote cells.
    """
    validated = validate(build_suite(name, expectations), frame, whole)
    results = {result.expectation_config.meta[POSITION_KEY]: result for result in validated.results}
    raised = {place: kinds for place, result in results.items() if (kinds := _error_kinds(result.exception_info))}
    if raised:
        problems = tuple(f"{label(expectations[place])} raised {', '.join(raised[place])}" for place in sorted(raised))
        raise SuiteBroken(name, problems)
    return tuple(_expectation_result(results[place]) for place in range(len(expectations)))


def build_suite(name: str, expectations: Sequence[Mapping[str, Any]]) -> Any:
    """Return the suite as an object of Great Expectations. Raises SuiteBroken: an expectation cannot be built."""
    return load_great_expectations().ExpectationSuite(name=name, expectations=_build_expectations(name, expectations))


def validate(suite: Any, frame: pd.DataFrame, whole: Any = None) -> Any:
    """Return the result of `suite` over `frame`: counts, no values. ``whole``: from `whole_frames`; default: a new one."""
    batch = (whole or whole_frames()).get_batch({"dataframe": frame})
    return batch.validate(suite, result_format=COUNTS_ONLY)


def whole_frames() -> Any:
    """Return the batch definition of whole DataFrames, in a context of its own.

    Creating one takes as long as validating three suites, so a request shares one. One for all requests would keep every result
    in memory.
    """
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    context = load_great_expectations().get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),  # else a folder in /tmp each time
            progress_bars=ProgressBarsConfig(globally=False),
            analytics_enabled=False,
        ),
    )
    asset = context.data_sources.add_pandas("frames").add_dataframe_asset("frame")
    return asset.add_batch_definition_whole_dataframe("whole")


def _build_expectations(name: str, expectations: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Build the expectations one by one, so that the error has all that cannot be built."""
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


def _error_kinds(exception_info: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the kinds of errors in `exception_info`, which is one entry, or one for each metric that failed."""
    entries = [exception_info] if "raised_exception" in exception_info else list(exception_info.values())
    return tuple(sorted({_kind(entry) for entry in entries if entry["raised_exception"]}))


def _kind(entry: Mapping[str, Any]) -> str:
    """Return the class of the error at the end of a traceback, without its message."""
    kinds = re.findall(r"^([\w.]+)(?::|$)", str(entry.get("exception_traceback") or ""), flags=re.MULTILINE)
    return kinds[-1].rsplit(".", 1)[-1] if kinds else "an error"


def _expectation_result(result: Any) -> ExpectationResult:
    """Return the counts of `result`, and nothing else that it may hold, such as a column's minimum."""
    counts = {**result.result, **result.result.get("details", {})}
    judged, failing = counts.get("judged", counts.get("element_count")), counts.get("failing", counts.get("unexpected_count"))
    return ExpectationResult(
        passed=bool(result.success),
        judged=None if judged is None else int(judged),
        failing=None if failing is None else int(failing),
    )
