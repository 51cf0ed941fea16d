"""Render Great Expectations' Data Docs: per suite a page with its results and one with its expectations, and an index.

Belongs here: rendering, in the Great Expectations process. The batch is a verdict table (rules and counts), so no cell can be in
a page. The library's page template loads scripts, styles and images from six other hosts, and its index is empty without them.
Our template replaces it, with one style and no script, so that a page works without a network and reports to nobody that it was
opened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from roster_etl.quality.gx_runner import build_suite, load_great_expectations, validate, whole_frames

INDEX = "index.html"
_TEMPLATES = "data_docs_templates"
_UP = "../"


def write_pages(folder: Path, about: Mapping[str, str], suites: Sequence[Mapping[str, Any]]) -> int:
    """Write the pages into `folder`, and return their number.

    Args:
        folder: exists, and is empty.
        about: ``title``; ``district``; ``run``: the run of the results; ``at``: its time, ISO.
        suites: for each the name (``suite``), its ``expectations``, and the ``lines`` of its verdict table.
    Raises: SuiteBroken: an expectation cannot be built.
    """
    load_great_expectations()
    from great_expectations.core.run_identifier import RunIdentifier

    run = RunIdentifier(run_name=about["run"], run_time=datetime.fromisoformat(about["at"]))
    meta, whole = {"run_id": run, "batch_spec": {"data_asset_name": about["district"]}}, whole_frames()
    results = [_result(one, meta, whole) for one in suites]
    for suite, result in results:
        (folder / f"{suite.name}.html").write_text(_results_page(result), "utf-8")
        (folder / f"{suite.name}.suite.html").write_text(_suite_page(suite), "utf-8")
    index = _environment().get_template("index.j2").render(about=about, results=[result for _, result in results])
    (folder / INDEX).write_text(index, "utf-8")
    return 2 * len(results) + 1


def _result(one: Mapping[str, Any], meta: Mapping[str, Any], whole: Any) -> tuple[Any, Any]:
    """Return a suite and its result, with `meta` in place of the library's own metadata about the call."""
    suite = build_suite(one["suite"].replace("/", "."), one["expectations"])
    result = validate(suite, pd.DataFrame(one["lines"]), whole)
    result.meta = {**meta, "great_expectations_version": result.meta["great_expectations_version"]}
    return suite, result


def _results_page(result: Any) -> str:
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer

    page = _render(ValidationResultsPageRenderer().render(result)).replace(".000000Z", "Z")
    parts = result.suite_name.split(".")
    return page.replace(f"{_UP * (len(parts) + 3)}expectations/{'/'.join(parts)}.html", f"{result.suite_name}.suite.html")


def _suite_page(suite: Any) -> str:
    from great_expectations.render.renderer.page_renderer import ExpectationSuitePageRenderer

    return _render(ExpectationSuitePageRenderer().render(suite))  # type: ignore[no-untyped-call]


def _render(document: Any) -> str:
    from great_expectations.render.view import DefaultJinjaPageView

    view = DefaultJinjaPageView()
    view.env.loader = _loader(view.env.loader)
    return str(view.render(document))  # type: ignore[no-untyped-call]


def _loader(theirs: Any) -> Any:
    """Return a template loader that takes the page template from this package, and its parts from the library."""
    from jinja2 import ChoiceLoader, PackageLoader

    return ChoiceLoader([PackageLoader(__package__, _TEMPLATES), theirs])


def _environment() -> Any:
    from jinja2 import Environment, PackageLoader

    return Environment(loader=PackageLoader(__package__, _TEMPLATES), autoescape=True)
