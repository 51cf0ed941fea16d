"""Notifications about an import: mail to the district's contacts, and alerts to the operator.

Belongs here: who is notified when, and the texts; the messages go to the outbox. Counts and places only: no cell but ids of
schools where much changes, no name of a person, no password. Not here: the report itself (``pipeline.reporting.report_files``), carrying (``store.outbox.smtp``, ``store.outbox.webhook``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from roster_etl.pipeline.reporting.findings_summary import Cause, group_by_cause
from roster_etl.pipeline.reporting.import_summary import CODE as PARKED
from roster_etl.pipeline.reporting.import_summary import report_path
from roster_etl.pipeline.reporting.next_steps import NextStep, closed_holds_text, next_steps
from roster_etl.pipeline.reporting.plan_summary import TableLine, table_lines
from roster_etl.pipeline.reporting.report_files import report_url
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RegistryError
from roster_etl.spec.findings import CODES
from roster_etl.store.outbox.outbox import Message

if TYPE_CHECKING:
    from jinja2 import Template

_MAX_CAUSES, _MAX_LOCATIONS = 10, 3  # in a mail; the report has all
_MAX_ATTACHMENT_BYTES = 1_000_000  # bytes; a longer file is not attached
_REFUSING = ("upload", "file", "reject")
_PROBLEMS = ("held", "rejected", "failed")


@dataclass(frozen=True, kw_only=True)
class MailContent:
    """What a mail says. ``why``: one sentence, empty if there is nothing to add."""

    title: str
    why: str
    steps: Sequence[NextStep]
    causes: Sequence[Cause] = ()
    more_causes: int = 0
    tables: Sequence[TableLine] = ()
    is_proposed: bool = False
    url: str | None = None


def queue_notifications(workspace: Workspace, document: Mapping[str, Any]) -> list[str]:
    """Queue mail and alerts about an import that has ended, unless that was done before. Returns the ids of new messages.

    Args: document: of its report (``pipeline.reporting.report_files.report_document``).
    """
    if document["status"] == "running":
        return []
    messages = [*_mails(workspace, document), *_alerts(workspace, document)]
    return [message.id for message in messages if workspace.outbox.put(message)]


def queue_mail(
    workspace: Workspace, to: Sequence[str], *, about: str, title: str, reason: str, steps: Sequence[NextStep]
) -> list[str]:
    """Queue one mail for each recipient, where mail is set up. Returns the ids of new messages."""
    content = MailContent(title=title, why=reason, steps=steps)
    return [mail.id for mail in _render_mails(workspace, to, about, content) if workspace.outbox.put(mail)]


def queue_alert(workspace: Workspace, what: str, *, about: str, text: str) -> list[str]:
    """Queue an alert of the kind `what`, where a webhook is set up for it. Returns the ids of new messages."""
    message = _alert(workspace, what, about, text)
    return [message.id] if message and workspace.outbox.put(message) else []


def summary_text(workspace: Workspace, document: Mapping[str, Any]) -> str:
    """Return the text of the mail about an import, as Markdown, whether anybody gets mail or not. Args: document: of its report."""
    content = _mail_content(workspace, document)
    return f"```\n{_template('mail.txt.j2').render(t=content, attached=False).replace('```', '')}```\n"


def recipients(workspace: Workspace, district_id: str, source: str, *, problem: bool) -> list[str]:
    """Return who gets mail: the contacts of the district and of the feed, if the district wants it; nobody if it is registered no more."""
    try:
        district = workspace.registry.get(district_id)
    except RegistryError:
        return []
    if district.mail == "never" or (district.mail == "problems" and not problem):
        return []
    feeds = [contact for feed in district.feeds if feed.format == source for contact in feed.contacts]
    return list(dict.fromkeys((*district.contacts, *feeds)))


def is_problem(workspace: Workspace, document: Mapping[str, Any]) -> bool:
    """Return whether the district has to know: nothing was published, more was refused than the last time, or a hold was closed.

    The same rows refused each night are reported once, not each night; the report names them each time. Whoever was asked to decide about
    a hold learns that there is nothing to decide any more.
    """
    if document["status"] in _PROBLEMS or document.get("closed_holds"):
        return True
    if document["status"] != "published":
        return False
    refused = _count_by_place(finding for finding in document["findings"] if finding["severity"] in _REFUSING)
    if not refused:
        return False
    feed = (document["district_id"], document["source"])
    known = _count_by_place(workspace.warehouse.ledger.previous_finding_counts(*feed, document["import_id"], _REFUSING))
    return any(count > known[place] for place, count in refused.items())


def _count_by_place(findings: Iterable[Mapping[str, Any]]) -> Counter[tuple[str, str | None, str | None]]:
    counts: Counter[tuple[str, str | None, str | None]] = Counter()
    for finding in findings:
        counts[finding["code"], finding["file"], finding["field"]] += finding["count"]
    return counts


# ---- mail


def _mails(workspace: Workspace, document: Mapping[str, Any]) -> Iterator[Message]:
    if not workspace.settings.mail.host:
        return
    to = recipients(workspace, document["district_id"], document["source"], problem=is_problem(workspace, document))
    if to:
        yield from _render_mails(
            workspace, to, _message_key(document), _mail_content(workspace, document), _attachments(workspace, document)
        )


def _render_mails(
    workspace: Workspace, to: Sequence[str], about: str, content: MailContent, attachments: tuple[tuple[str, str, str], ...] = ()
) -> Iterator[Message]:
    """Yield the mail to each of `to`, in plain text and in HTML; none where no mail is set up."""
    if not workspace.settings.mail.host:
        return
    now = datetime.now(UTC).isoformat()
    for address in to:
        yield Message(
            kind="mail",
            about=about,
            to=address,
            created=now,
            due=now,
            subject=content.title,
            text=_template("mail.txt.j2").render(t=content, attached=bool(attachments)),
            html=_template("mail.html.j2").render(t=content, attached=bool(attachments)),
            attachments=attachments,
        )


def _mail_content(workspace: Workspace, document: Mapping[str, Any]) -> MailContent:
    found = [cause for cause in group_by_cause(document["findings"]) if cause.severity != "info"]
    district = document["district_name"] or document["district_id"]
    return MailContent(
        title=f"{district}: import {document['import_id']} ({document['source']}) {_status_text(document)}",
        why=" ".join(filter(None, (status_reason(document), closed_holds_text(document)))),
        steps=next_steps(document),
        causes=found[:_MAX_CAUSES],
        more_causes=max(len(found) - _MAX_CAUSES, 0),
        tables=table_lines(document),
        is_proposed=document["status"] != "published",
        url=report_url(workspace, document["district_id"], document["import_id"]),
    )


def _attachments(workspace: Workspace, document: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """Return the report's page, and its list of findings if there are any, as far as they are written and not too long."""
    page = report_path(workspace, document["district_id"], document["import_id"])
    kinds = {"html": "text/html", **({"csv": "text/csv"} if document["findings"] else {})}
    files = {kind: page.with_suffix(f".{kind}") for kind in kinds}
    short = {kind: file for kind, file in files.items() if file.exists() and file.stat().st_size <= _MAX_ATTACHMENT_BYTES}
    pages = ((f"import-{document['import_id']}.{kind}", kinds[kind], file.read_text("utf-8")) for kind, file in short.items())
    return (*pages, *_receipt_attachment(workspace, document))


def _receipt_attachment(workspace: Workspace, document: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    receipt = document.get("receipt")
    if receipt:
        content = workspace.archive.read_receipt(document["district_id"], document["source"], receipt["number"])
        if content is not None:
            yield f"receipt-{receipt['number']}.dsse.json", "application/json", content.decode()


# ---- alerts


def _alerts(workspace: Workspace, document: Mapping[str, Any]) -> Iterator[Message]:
    where = f"{document['district_id']}/{document['source']}"
    steps = next_steps(document)
    command = next((step.command for step in steps if step.command), "")
    link = report_url(workspace, document["district_id"], document["import_id"])
    lines = [
        f"{where}: import {document['import_id']} is {_status_text(document)}. {status_reason(document)}".rstrip(),
        closed_holds_text(document),
        command,
        link or "",
    ]
    message = _alert(workspace, document["status"], _message_key(document), "\n".join(line for line in lines if line))
    if message:
        yield message


def _alert(workspace: Workspace, what: str, about: str, text: str) -> Message | None:
    alerts = workspace.settings.alerts
    if not alerts.is_enabled or what not in alerts.on:
        return None
    now = datetime.now(UTC).isoformat()
    return Message(kind="webhook", about=about, created=now, due=now, text=text)


def _message_key(document: Mapping[str, Any]) -> str:
    """Return the name of a notification: one per import and status."""
    return f"import-{document['import_id']}-{document['status']}"


def _status_text(document: Mapping[str, Any]) -> str:
    return f"{document['status']}, {PARKED}" if document.get("parked") else str(document["status"])


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


@cache
def _template(name: str) -> Template:
    from jinja2 import Environment

    environment = Environment(
        autoescape=name.endswith(".html.j2"), trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    return environment.from_string(files(__package__).joinpath(name).read_text("utf-8"))


def load_templates() -> None:
    """Compile the templates now, for the processes that are forked from this one."""
    for name in ("mail.txt.j2", "mail.html.j2"):
        _template(name)
