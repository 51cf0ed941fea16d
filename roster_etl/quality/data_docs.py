"""Great Expectations' own pages about what the gates judged: a page a suite for its results, one for its expectations, and an index.

Belongs here: rendering, in the gates' own process. The batch is a verdict frame (rules and counts), so no cell can be in a page. The
library's page frame loads scripts, styles and pictures from six other hosts, and its index is empty without them: ours takes its
place, with one style and no script, so that a page works without a network and tells nobody that it was opened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from roster_etl.quality.gx_runner import build_suite, load_great_expectations, validate

INDEX = "index.html"
_TEMPLATES = Path(__file__).with_name("data_docs_templates")
_UP = "../"


def write_pages(folder: Path, about: Mapping[str, str], suites: Sequence[Mapping[str, Any]]) -> int:
    """Write the pages into `folder`, and return how many there are.

    Args:
        folder: is there, and empty.
        about: ``title``; ``district``; ``run``: what the results are of; ``at``: when, ISO.
        suites: of each the name (``suite``), its ``expectations``, and the ``lines`` of its verdict frame.
    Raises: SuiteBroken: an expectation cannot be built.
    """
    load_great_expectations()
    from great_expectations.core.run_identifier import RunIdentifier

    run = RunIdentifier(run_name=about["run"], run_time=datetime.fromisoformat(about["at"]))
    results = [_result(one, {"run_id": run, "batch_spec": {"data_asset_name": about["district"]}}) for one in suites]
    for suite, result in results:
        (folder / f"{suite.name}.html").write_text(_results_page(result), "utf-8")
        (folder / f"{suite.name}.suite.html").write_text(_suite_page(suite), "utf-8")
    index = _environment().get_template("index.j2").render(about=about, results=[result for _, result in results])
    (folder / INDEX).write_text(index, "utf-8")
    return 2 * len(results) + 1


def _result(one: Mapping[str, Any], meta: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return a suite, and its result: with `meta` in place of what only says how the library was called."""
    suite = build_suite(one["suite"].replace("/", "."), one["expectations"])
    result = validate(suite, pd.DataFrame(one["lines"]))
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
    """Return a loader that takes a page's frame from us, and what stands in it from them."""
    from jinja2 import ChoiceLoader, FileSystemLoader

    return ChoiceLoader([FileSystemLoader(_TEMPLATES), theirs])


def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader

    return Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True)
