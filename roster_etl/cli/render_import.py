"""Render one import for people: its files, its changes, findings and reasons, next steps.

The facts are in the document of ``pipeline.reporting.import_summary``, which ``--json`` prints as it is.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from roster_etl.cli.context import Call
from roster_etl.cli.text_tables import TextTable
from roster_etl.pipeline.reporting.findings_summary import CHECK_COUNT_NOTE, group_by_cause
from roster_etl.pipeline.reporting.hold_text import replaced_text
from roster_etl.pipeline.reporting.next_steps import closed_holds_text, next_steps, replan_command, stale_plan_text
from roster_etl.pipeline.reporting.plan_summary import SchoolLine, school_lines, table_lines
from roster_etl.spec.findings import CODES

_MAX_PLACES = 3
_MAX_SCHOOL_LINES = 12


def print_import(call: Call, document: Mapping[str, Any]) -> None:
    """Print the document of one import: as JSON for scripts, or as text for people."""
    if call.json:
        call.print_json(document)
        return
    for number, one in enumerate((document, *document.get("further", ()))):
        call.print(*([""] if number else []), *render_import(one), *_render_next_steps(one))


def print_hold(call: Call, document: Mapping[str, Any]) -> None:
    """Print the document of a held import, and for people how to decide on its plan."""
    plan = f"plan {document['hold']['plan_sha256']}"
    call.show_result(document, *render_import(document), "", plan, *_how_to_decide(document))


def _how_to_decide(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the commands that decide on the plan of a held import; none if it is decided."""
    number, hold = document["import_id"], document["hold"]
    if hold["decision"]:
        return
    yield ""
    if hold["overtaken_by"]:
        yield stale_plan_text(document)
        yield f"to plan it anew: {replan_command(document)}"
    else:
        yield f"to publish exactly this plan: roster-etl holds approve {number} --by NAME{approve_command(document)}"
        if document["kind"] == "upload":
            yield "to keep what is in a table, or a school: look at it again with --leave-out TABLE, or --leave-out school:ID"
    yield f"to leave the roster as it is: roster-etl holds discard {number} --by NAME"
    if not (hold["overtaken_by"] or hold["outlasts_uploads"]):
        yield "a corrected upload, once imported, closes the hold by itself"


def approve_command(document: Mapping[str, Any]) -> str:
    """Return the options of the approval command, quoted for a shell: IDs come from an upload, and may hold any character."""
    words = "".join(f" --leave-out {shlex.quote(word)}" for word in document["left_out"])
    words += "".join(f" --rename {shlex.quote(word)}" for word in document.get("renamed", ()))
    return f"{words} --plan {document['hold']['plan_sha256'][:12]}" if words else ""


def render_import(document: Mapping[str, Any]) -> Iterator[str | TextTable]:
    """Yield the lines for people about an import."""
    yield _render_title(document)
    yield from _render_reason(document)
    if document["files"] and document["status"] != "unchanged":  # an unchanged upload is not read
        yield ""
        rows = [(f["file"], f["rows_read"], f["rows_accepted"], f["rows_rejected"]) for f in document["files"]]
        yield TextTable(("file", "rows", "accepted", "refused"), rows)
    yield from _render_changes(document)
    yield from _render_people(document.get("people", {}))
    yield from _render_findings(document["findings"])
    yield from _render_checks(document["checks"])
    if document["import_id"] is None and document["plan_sha256"]:
        yield ""
        yield f"plan {document['plan_sha256']}"
    if document["report"]:
        yield ""
        yield f"report: {document['report']}"
    if document["data_docs"]:
        yield f"Data Docs: {document['data_docs']}"
    if document["run_id"]:
        yield f"run:    {document['run_id']} (in the Dagster UI: /runs/{document['run_id']})"


def render_import_header(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines that identify an import, and why it is held, if it is."""
    yield _render_title(document)
    yield from _render_reason(document)


def _render_next_steps(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the next steps for an import, with the same texts as its report and mail."""
    steps = next_steps(document) if document["import_id"] is not None else []
    if steps:
        yield ""
        yield "next"
    for step in steps:
        yield f"  {step.text}"
        if step.command:
            yield f"    {step.command}"


def format_time(text: str | None) -> str:
    """Return a time in UTC in the format for people."""
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S UTC") if text else ""


def _render_title(document: Mapping[str, Any]) -> str:
    number = f"import {document['import_id']}" if document["import_id"] is not None else "check"
    superseded = document["status"] == "held" and (document["hold"] or {}).get("decision") == "superseded"
    status = "superseded" if superseded else document["status"]
    parts = [number, document["district_id"], document["source"], document["file_set"], status]
    if document["import_id"] is not None:
        parts.append(format_time(document["finished_at"] or document["started_at"]))
    return " · ".join(part for part in parts if part)


def _render_reason(document: Mapping[str, Any]) -> Iterator[str]:
    if error := document.get("error"):
        yield f"failed: {error.get('message') or error['class']}"
    yield from _render_manual_changes(document)
    if document["status"] == "unchanged":
        yield "the same upload under the same settings is published already"
    if closed := closed_holds_text(document):
        yield closed
    hold = document["hold"]
    if hold:
        decided = f" · {hold['decision']} by {hold['decided_by']}, {format_time(hold['decided_at'])}" if hold["decision"] else ""
        yield f"held: {CODES[hold['reason']].meaning if hold['reason'] in CODES else hold['reason']}{decided}"
        for name, table in hold["tables"].items():
            if table["deleted"]:
                yield f"  {name}: {table['deleted']:,} of {table['current']:,} current records ({table['pct']} %) would be removed"
            if "updated" in table:
                yield f"  {name}: {table['updated']:,} of {table['current']:,} current records would be updated"
        if hold.get("replaced"):
            yield f"  {replaced_text(hold['replaced'])}"
        for part in hold["schools"]:
            what = "removed" if "deleted" in part else "updated"
            of = f"{part['deleted' if what == 'removed' else what]:,} of {part['current']:,} current records ({part['pct']} %)"
            role = f" with role {part['role']}" if part.get("role") else ""
            yield f"  {part['table']} of school {part['school']}{role}: {of} would be {what}"


def _render_manual_changes(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the changes that a person requested: an edit, an undo, removals left out, renames."""
    if edit := document["edit"]:
        yield f"an edit by hand of {edit['table']}.{edit['field']} {'begins' if edit['begins'] else 'ends'}"
    if document["undoes"]:
        yield f"an undo: the state before import {document['undoes'][0]}; it undoes {', '.join(map(str, document['undoes']))}"
    if document["left_out"]:
        yield f"left out: removals of {', '.join(document['left_out'])}"
    yield from _render_renames(document["renames"], document["import_id"])


def _render_renames(renames: Mapping[str, Any], import_id: int | None) -> Iterator[str]:
    if renames.get("approved"):
        yield f"renamed: {renames['approved']:,} {'person' if renames['approved'] == 1 else 'people'} under new ids"
    if renames.get("proposed", 0) > renames.get("approved", 0):
        many = renames["proposed"] - renames["approved"]
        yield f"possible renames: {many:,} (roster-etl renames list {'IMPORT' if import_id is None else import_id})"


def _render_changes(document: Mapping[str, Any]) -> Iterator[str | TextTable]:
    tables, schools = table_lines(document), school_lines(document)
    if tables:
        would = document["import_id"] is None or document["status"] in ("held", "discarded")
        head = ("table, what would change" if would else "table, what changed", "created", "updated", "removed", "")
        rows = [(t.table, t.created, t.updated, t.deleted, "; ".join(filter(None, (t.columns, t.why)))) for t in tables]
        yield ""
        yield TextTable(head, rows)
        yield from _render_schools(schools)
    elif document["status"] in ("published", "publishable"):
        yield ""
        yield "no record is different"


def _render_people(people: Mapping[str, int]) -> Iterator[str]:
    """Yield how many links between records of people came with the import."""
    words = {"same": "linked", "contradiction": "that contradict each other", "apart": "decided apart", "closed": "ended"}
    if people:
        yield ""
        yield "links between people of several feeds: " + ", ".join(f"{people[n]:,} {words[n]}" for n in words if n in people)


def _render_schools(schools: Sequence[SchoolLine]) -> Iterator[str | TextTable]:
    """Yield the changes by school: those with most removals."""
    if not schools:
        return
    yield ""
    rows = [(s.school, s.table, s.current, s.created, s.updated, s.deleted) for s in schools[:_MAX_SCHOOL_LINES]]
    yield TextTable(("school", "table", "before", "created", "updated", "removed"), rows)
    if len(schools) > _MAX_SCHOOL_LINES:
        yield f"and {len(schools) - _MAX_SCHOOL_LINES:,} more lines by school; --json has all"


def _render_findings(findings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the findings by cause: findings that follow from another are counted with it."""
    if any(finding["row"] is not None for finding in findings):
        yield ""
        yield "what was found (a row's number is its record's: the header is row 1)"
    for cause in group_by_cause(findings):
        yield ""
        more = f", and {cause.following:,} that follow from {'it' if cause.count == 1 else 'them'}" if cause.following else ""
        yield f"{cause.code} · {cause.amount}{more} · {cause.effect}"
        for place in cause.locations[:_MAX_PLACES]:
            follows = f" (+{place.following:,} that follow)" if place.following else ""
            yield f"  {place.where}: {place.message}{follows}"
        if len(cause.locations) > _MAX_PLACES:
            yield f"  and {len(cause.locations) - _MAX_PLACES:,} more places"
        yield f"  → {cause.advice}"


def _render_checks(checks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not checks:
        return
    failed = [check for check in checks if not check["passed"]]
    yield ""
    yield f"checks: {len(checks) - len(failed)} of {len(checks)} passed ({CHECK_COUNT_NOTE})"
    for check in failed:
        kind = "stops publishing" if check["severity"] == "error" else "warns"
        yield f"  {check['name']} ({kind})"
        yield from (f"    {line}" for line in check["details"].get("failed", ()))
