"""What mail about an import says, and how: to its district, what to correct and how to answer; to operators, what to decide and where.

Belongs here: the contents of both mails, and their templates. Who gets one, and when: ``pipeline.reporting.notifications``. Counts and places
only: no cell but ids and names of schools.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from roster_etl.pipeline.reporting.corrections import FileCorrections, corrections_by_file
from roster_etl.pipeline.reporting.findings_summary import Cause, causes_beside_hold, group_by_cause
from roster_etl.pipeline.reporting.headline_numbers import Tile, headline_tiles
from roster_etl.pipeline.reporting.hold_text import hold_headline
from roster_etl.pipeline.reporting.import_summary import CODE as PARKED
from roster_etl.pipeline.reporting.next_steps import NextStep, closed_holds_text, next_steps
from roster_etl.pipeline.reporting.plan_summary import SchoolRow, TableLine, school_rows, table_lines
from roster_etl.spec.findings import CODES

if TYPE_CHECKING:
    from jinja2 import Template

_MAX_CORRECTIONS, _MAX_CAUSES, _MAX_SCHOOLS = 20, 10, 8  # in a mail; the report has all
TEMPLATES = ("notice", "district", "operator")


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A mail of a few words. ``why``: one sentence, empty if there is nothing to add; ``answer``: how to answer, empty: that is not said."""

    title: str
    why: str
    steps: Sequence[NextStep] = ()
    answer: str = ""


@dataclass(frozen=True, kw_only=True)
class DistrictMail:
    """A mail to those who send the files. ``operator_steps``: for them, where nobody else is told."""

    title: str
    why: str
    tiles: Sequence[Tile]
    is_proposed: bool
    files: Sequence[FileCorrections]
    more: int
    answers: Sequence[str]
    operator_steps: Sequence[NextStep]
    url: str | None


@dataclass(frozen=True, kw_only=True)
class OperatorMail:
    """A mail to those who run this. ``links``: to the Dagster UI, the report and the archive, by what they are called."""

    title: str
    why: str
    tiles: Sequence[Tile]
    is_proposed: bool
    links: Mapping[str, str]
    steps: Sequence[NextStep]
    causes: Sequence[Cause]
    more_causes: int
    tables: Sequence[TableLine]
    schools: Sequence[SchoolRow]
    more_schools: int
    school_names: Mapping[str, str]
    archive: str


def district_mail(document: Mapping[str, Any], *, has_operators: bool, can_reply: bool) -> DistrictMail:
    """Return the mail to the contacts of a district. Args: document: of the import's report (``pipeline.reporting.report_files``)."""
    found, more = _first(corrections_by_file(document["findings"]), _MAX_CORRECTIONS)
    return DistrictMail(
        title=mail_title(document),
        why=" ".join(filter(None, (_reason(document), closed_holds_text(document)))),
        tiles=headline_tiles(document),
        is_proposed=document["status"] == "held",
        files=found,
        more=more,
        answers=_answers(document, can_reply=can_reply),
        operator_steps=[] if has_operators else next_steps(document),
        url=document.get("links", {}).get("report"),
    )


def operator_mail(document: Mapping[str, Any]) -> OperatorMail:
    """Return the mail to operators. Args: document: as for `district_mail`."""
    causes = [cause for cause in causes_beside_hold(document, document["findings"]) if cause.severity != "info"]
    schools, links = school_rows(document), dict(document.get("links", {}))
    district = document["district_name"] or document["district_id"]
    hold = document["hold"]
    is_held = hold and document["status"] == "held"
    why = hold_headline(hold["reason"], {"hold": hold, "plan": document["plan"]}) if is_held else status_reason(document)
    return OperatorMail(
        title=f"{_status_text(document).upper()}: {district} ({document['source']})" + (f": {why}" if is_held else ""),
        why=" ".join(filter(None, (status_reason(document), closed_holds_text(document)))),
        tiles=headline_tiles(document),
        is_proposed=document["status"] == "held",
        archive=links.pop("archive", ""),
        links={name.capitalize(): links[name] for name in ("review", "approve", "discard", "run", "report") if name in links},
        steps=next_steps(document),
        causes=causes[:_MAX_CAUSES],
        more_causes=max(len(causes) - _MAX_CAUSES, 0),
        tables=table_lines(document),
        schools=schools[:_MAX_SCHOOLS],
        more_schools=max(len(schools) - _MAX_SCHOOLS, 0),
        school_names=document.get("school_names", {}),
    )


def mail_title(document: Mapping[str, Any]) -> str:
    """Return the subject of the mail to a district."""
    district = document["district_name"] or document["district_id"]
    return f"{district}: import {document['import_id']} ({document['source']}) {_status_text(document)}"


def status_reason(document: Mapping[str, Any]) -> str:
    """Return in a sentence why an import ended as it did; empty if there is nothing to add."""
    if document["error"]:
        parked = (f" {finding['message']}" for finding in document["findings"] if finding["code"] == PARKED)
        return f"{document['error'].get('message') or document['error']['class']}.".replace("..", ".") + "".join(parked)
    if document["hold"] and document["status"] == "held":
        reason = document["hold"]["reason"]
        return CODES[reason].meaning if reason in CODES else str(reason)
    if document["status"] == "rejected":
        stopping = [cause for cause in group_by_cause(document["findings"]) if cause.severity in ("upload", "file")]
        return stopping[0].meaning if stopping else ""
    return ""


def _status_text(document: Mapping[str, Any]) -> str:
    return f"{document['status']}, {PARKED}" if document.get("parked") else str(document["status"])


def _reason(document: Mapping[str, Any]) -> str:
    """Return what became of the upload, for those who sent it."""
    what, reason = _OUTCOMES.get(document["status"], ""), status_reason(document)
    return what if document["status"] == "failed" else " ".join(filter(None, (what, reason)))


_OUTCOMES = {
    "held": "The upload is held: nothing of it is published until somebody has looked at it, and the roster is as it was.",
    "rejected": "The upload as a whole could not be used. The roster is as it was.",
    "failed": "The upload could not be processed, for a reason that is not in its files. The roster is as it was.",
    "published": "The upload is published.",
    "unchanged": "The same upload is published already.",
}


def _answers(document: Mapping[str, Any], *, can_reply: bool) -> list[str]:
    """Return how a district answers, by what became of the import."""
    tell = "answer this mail" if can_reply else "tell whoever runs the import for you"
    number, hold = document["import_id"], document["hold"] or {}
    question = f"{tell[:1].upper()}{tell[1:]} if anything is unclear, and name import {number}."
    if document["status"] == "held" and not hold.get("decision"):
        replaces = "" if hold.get("outlasts_uploads") else " The new upload replaces this one."
        return [
            f"If the files are wrong: correct them at their source, and upload all of them again.{replaces}",
            f"If the files are right: {tell}, say that import {number} is right, and why so much changes. It can then be published as it is.",
        ]
    if document["status"] == "rejected":
        return ["Correct the files at their source, and upload all of them again.", question]
    if document["status"] == "failed":
        return ["You need not change the files.", question]
    if any(file["rows_rejected"] for file in document["files"]):
        return ["Correct the rows at their source. The next upload brings them; what is sound is published already.", question]
    return []


def _first(found: Sequence[FileCorrections], most: int) -> tuple[list[FileCorrections], int]:
    """Return the first `most` corrections of all files, and how many are left out."""
    kept: list[FileCorrections] = []
    for one in found:
        room = most - sum(len(file.corrections) for file in kept)
        if room > 0:
            kept.append(replace(one, corrections=one.corrections[:room]))
    total = sum(len(file.corrections) for file in found)
    return kept, max(total - most, 0)


def render_mail(kind: str, content: Notice | DistrictMail | OperatorMail, *, attached: bool = False) -> tuple[str, str]:
    """Return a mail as plain text, and as HTML. Args: kind: the name of its templates; attached: whether the report is."""
    plain, rich = (_template(f"mail_{kind}.{form}.j2").render(t=content, attached=attached) for form in ("txt", "html"))
    return plain, rich


@cache
def _template(name: str) -> Template:
    from jinja2 import Environment

    from roster_etl.pipeline.reporting import templates

    environment = Environment(
        autoescape=name.endswith(".html.j2"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["number"] = lambda value: f"{value:,}"
    return templates.load(environment, name, built_in=__file__)


def load_templates() -> None:
    """Compile the templates now, for the processes that are forked from this one."""
    for kind in TEMPLATES:
        for form in ("txt", "html"):
            _template(f"mail_{kind}.{form}.j2")
