"""The page of a report: what people read about one import.

No value of a cell stands on the page, but for ids and names of schools.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roster_etl.pipeline.reporting.charts import change_bars, chart, people_bars, rows_bars
from roster_etl.pipeline.reporting.feed_differences import by_field, by_school
from roster_etl.pipeline.reporting.findings_summary import CHECK_COUNT_NOTE, causes_beside_hold
from roster_etl.pipeline.reporting.headline_numbers import headline_tiles, share_text
from roster_etl.pipeline.reporting.hold_text import hold_headline
from roster_etl.pipeline.reporting.next_steps import closed_holds_text, next_steps
from roster_etl.pipeline.reporting.plan_summary import school_rows, table_lines
from roster_etl.spec.findings import CODES
from roster_etl.store.files.urls import is_url

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

MAX_LOCATIONS = 20  # of each cause; all are in the CSV
SCHOOLS = 50  # all are in the JSON


def report_page(document: Mapping[str, Any], findings: Sequence[Mapping[str, Any]] | None = None) -> str:
    """Return the page about the import of `document`. ``findings``: all of them; None: those of the document, which may be folded."""
    rows, refused = (sum(file[name] or 0 for file in document["files"]) for name in ("rows_read", "rows_rejected"))
    links = document.get("links", {})
    parts: dict[str, Any] = {
        "steps": document["next_steps"] if "next_steps" in document else [asdict(step) for step in next_steps(document)],
        "closed_holds": closed_holds_text(document),
        "buttons": [(name.capitalize(), links[name]) for name in ("review", "approve", "discard") if name in links],
        "causes": causes_beside_hold(document, document["findings"] if findings is None else findings),
        "tables": table_lines(document),
        "feeds": by_field(document.get("reconciliation", ())),
        "charts": _charts(document.get("history", ())),
        **_school_parts(document),
    }
    return load_template().render(
        d=document,
        headline=headline(document),
        about=_hold_text(document["hold"]),
        tiles=headline_tiles(document),
        rows_read=rows,
        refused=refused,
        refused_share=share_text(100 * refused / rows) if rows else "0 %",
        contents=_contents(document, parts),
        over=_tables_over(document),
        names=document.get("school_names", {}),
        feed_schools=by_school(document.get("reconciliation", ()))[:SCHOOLS],
        most=MAX_LOCATIONS,
        about_checks=CHECK_COUNT_NOTE,
        passed=sum(check["passed"] for check in document["checks"]),
        base=links["report"].rpartition("/")[0] + "/" if "report" in links else "",
        run=links.get("run"),
        archive=links.get("archive"),
        archive_link=_openable(links.get("archive", "")),
        **parts,
    )


def headline(document: Mapping[str, Any]) -> str:
    """Return in a line how an import ended. Args: document: as ``pipeline.reporting.import_summary`` gives it."""
    status, hold = document["status"], document["hold"]
    if document["error"]:
        error = document["error"]
        return f"It failed: {(error.get('message') or error['class']).removesuffix('.')}. The roster is as it was."
    if hold and status in ("held", "discarded"):
        return hold_headline(hold["reason"], {"hold": hold, "plan": document["plan"]})
    if status == "published":
        totals = [sum(table[what] for table in document["changes"].values()) for what in ("created", "updated", "deleted")]
        return "{:,} records created, {:,} updated, {:,} removed.".format(*totals) if any(totals) else "No record is different."
    return _HEADLINES.get(status, "")


_HEADLINES = {
    "unchanged": "The same upload under the same settings is published already.",
    "rejected": "The upload as a whole could not be used. The roster is as it was.",
}


def _hold_text(hold: Mapping[str, Any] | None) -> str:
    """Return why an import was held, and what was decided; empty: it was not."""
    if not hold:
        return ""
    reason = CODES[hold["reason"]].meaning if hold["reason"] in CODES else str(hold["reason"])
    if not hold["decision"]:
        return f"{reason} Nothing was published."
    return f"It was held: {reason} It was {hold['decision']} by {hold['decided_by']}, {_moment(hold['decided_at'])}."


def _contents(document: Mapping[str, Any], parts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the sections that the page has, in their order, each with its id."""
    found = {
        ("todo", "What to do"): parts["steps"] or parts["closed_holds"] or parts["buttons"],
        ("findings", "Findings"): parts["causes"],
        ("changes", "Changes"): parts["tables"] or document["status"] == "published",
        ("schools", "By school"): parts["schools"],
        ("feeds", "Other feeds"): parts["feeds"],
        ("files", "Files"): document["files"] and document["status"] != "unchanged",
        ("history", "Last imports"): parts["charts"],
        ("checks", "Checks"): document["checks"],
        ("about", "About"): True,
    }
    return [name for name, shown in found.items() if shown]


def _school_parts(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page says by school: the rows, those over a threshold first, their tables, and what is over."""
    over = _schools_over(document)
    first = {school for _, school in over}
    rows = sorted(school_rows(document), key=lambda row: row.school not in first)
    shown = rows[:SCHOOLS]
    tables = [name for name in document["plan"] if name != "organizations" and any(name in row.lines for row in shown)]
    return {"schools": shown, "more_schools": len(rows) - len(shown), "school_tables": tables, "school_over": over}


def _tables_over(document: Mapping[str, Any]) -> dict[str, str]:
    """Return what is over a threshold, by table."""
    tables = (document["hold"] or {}).get("tables", {})
    return {name: f"over the threshold: {_over_text(part)}" for name, part in tables.items() if _over_text(part)}


def _schools_over(document: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Return what is over a threshold, by table and school: a role each."""
    found: dict[tuple[str, str], list[str]] = {}
    for part in (document["hold"] or {}).get("schools", ()):
        role = f" ({part['role']})" if part.get("role") else ""
        found.setdefault((part["table"], part["school"]), []).append(f"{_over_text(part)}{role}")
    return {place: f"over the threshold: {'; '.join(texts)}" for place, texts in found.items()}


def _over_text(part: Mapping[str, Any]) -> str:
    """Return what of a table or school counts towards a threshold: ``158 of 324 removed``."""
    words = {"deleted": "removed", "updated": "updated"}
    return ", ".join(f"{part[what]:,} of {part['current']:,} {word}" for what, word in words.items() if part.get(what))


def _charts(history: Sequence[Mapping[str, Any]]) -> list[tuple[str, tuple[str, ...], str]]:
    """Return the charts that have something to compare: title, names of their parts, and the picture."""
    changes = ("created", "updated", "removed")
    drawn = [
        ("People on the roster", (), chart("People on the roster", ("people",), people_bars(history))),
        ("Rows", ("accepted", "refused"), chart("Rows", ("accepted", "refused"), rows_bars(history))),
        ("Changed records", changes, chart("Changed records", changes, change_bars(history))),
    ]
    return [one for one in drawn if one[2]]


def _openable(location: str) -> str:
    """Return the address of a file that a browser may open: on this machine or a web server; empty: of another kind."""
    if location.startswith(("http://", "https://")):
        return location
    return "" if is_url(location) or not location else Path(location).as_uri()


@cache
def load_template() -> Template:
    """Return the page's template, compiled once: also for the processes that are forked from this one."""
    from jinja2 import Environment

    from roster_etl.pipeline.reporting import templates

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.finalize = plain_text
    environment.filters["moment"] = _moment
    environment.filters["number"] = _number
    environment.filters["share"] = lambda part, whole: share_text(100 * part / whole)
    environment.filters["css"] = css_text
    environment.globals["css"] = page_style()
    return templates.load(environment, "report.html.j2", built_in=__file__)


def page_style() -> Markup:
    """Return the style that all pages of ours share."""
    from markupsafe import Markup

    return Markup(files(__package__).joinpath("page.css.j2").read_text("utf-8"))  # noqa: S704 - our own file


def css_text(text: str) -> str:
    """Return `text` as the inside of a string of CSS, which no sign can end: names come from outside."""
    return "".join(sign if sign.isascii() and sign.isalnum() else f"\\{ord(sign):x} " for sign in plain_text(text))


def plain_text(value: Any) -> Any:
    """Return text without signs that steer: names come from outside, and could turn the direction of what follows them."""
    if not isinstance(value, str) or value.isascii():
        return value
    return type(value)("".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cf") else c for c in value))


def _moment(text: str | None) -> str:
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M UTC") if text else ""


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
