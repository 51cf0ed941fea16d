"""Run expectations over a verdict table with Great Expectations, in a process of its own, and return only counts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import pandas as pd

from roster_etl.projections.suite_format import RULE_TYPE, label
from roster_etl.quality.expectation_result import ExpectationResult, SuiteBroken

POSITION_KEY = "place"  # meta key: the library returns results in another order
_SUITE_KEY = "suite"  # meta key: the number of the expectation's suite
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
    """Return the result of each expectation of each of `suites` (name, expectations, lines), in their order. All must be about rules.

    They run as one suite over one table, in which each rule has the number of its suite before its name: most of the library's time
    goes into preparing a table, whatever its size.

    Raises: SuiteBroken: as `run_expectations` does, for the first suite that cannot be built, or else evaluated.
    """
    if not suites:
        return []
    library = load_great_expectations()  # first: an expectation is found once ours is registered
    built = []
    for number, (name, expectations, _) in enumerate(suites):
        built += _build_expectations(name, expectations, suite=number)
        _require_rules(name, expectations)
    frame = pd.concat([_numbered_lines(number, lines) for number, (_, _, lines) in enumerate(suites)], ignore_index=True)
    by_suite: list[dict[int, Any]] = [{} for _ in suites]
    for result in validate(library.ExpectationSuite(name="all", expectations=built), frame).results:
        meta = result.expectation_config.meta
        by_suite[meta[_SUITE_KEY]][meta[POSITION_KEY]] = result
    return [_observed(name, expectations, results) for (name, expectations, _), results in zip(suites, by_suite, strict=True)]


def _require_rules(name: str, expectations: Sequence[Mapping[str, Any]]) -> None:
    """Raise SuiteBroken for expectations about anything but a rule: they would see the lines of other suites."""
    others = tuple(f"{label(one)}: only rules share a table" for one in expectations if one["type"] != RULE_TYPE)
    if others:
        raise SuiteBroken(name, others)


def _numbered_lines(number: int, lines: Lines) -> pd.DataFrame:
    return pd.DataFrame({**lines, "rule": [_numbered_rule(number, rule) for rule in lines["rule"]]})


def _numbered_rule(number: int, rule: object) -> str:
    return f"{number} {rule}"


def run_expectations(
    name: str, expectations: Sequence[Mapping[str, Any]], frame: pd.DataFrame, whole: Any = None
) -> tuple[ExpectationResult, ...]:
    """Return the result of each of `expectations` over `frame`, in their order.

    Args: whole: the return value of `whole_frames`, if several suites share it.
    Raises: SuiteBroken: expectations cannot be built, or raised an error; with the expectation and the class of the error, never
    its message, which may quote cells.
    """
    validated = validate(build_suite(name, expectations), frame, whole)
    return _observed(name, expectations, {result.expectation_config.meta[POSITION_KEY]: result for result in validated.results})


def _observed(name: str, expectations: Sequence[Mapping[str, Any]], results: Mapping[int, Any]) -> tuple[ExpectationResult, ...]:
    """Return what `results`, by the expectation's place in its suite, have observed. Raises SuiteBroken: one raised an error."""
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
    if whole is None:
        whole = _PREPARED.pop() if _PREPARED else whole_frames()
    batch = whole.get_batch({"dataframe": frame})
    return batch.validate(suite, result_format=COUNTS_ONLY)


def prepare() -> None:
    """Prepare what the next suite needs. Each process that is forked from this one has it for its first suite."""
    _PREPARED.append(whole_frames())


_PREPARED: list[Any] = []


def whole_frames() -> Any:
    """Return the batch definition of whole DataFrames, in a context of its own.

    Creating one takes as long as validating three suites, so a request shares one. One for all requests would keep every result
    in memory.
    """
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults, ProgressBarsConfig

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


def _build_expectations(name: str, expectations: Sequence[Mapping[str, Any]], suite: int | None = None) -> list[Any]:
    """Build the expectations one by one, so that the error has all that cannot be built.

    Args: suite: its number among several that share a table; None: it has its own.
    """
    from great_expectations.compatibility.pydantic import ValidationError
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    built, problems = [], []
    for place, expectation in enumerate(expectations):
        kwargs = dict(expectation["kwargs"])
        if suite is not None and "rule" in kwargs:
            kwargs["rule"] = _numbered_rule(suite, kwargs["rule"])
        configuration = ExpectationConfiguration(
            type=expectation["type"],
            kwargs=kwargs,
            severity=expectation["severity"],
            meta={POSITION_KEY: place, _SUITE_KEY: suite},
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
