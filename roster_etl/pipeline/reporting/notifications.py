"""Notifications about an import: mail to the district's contacts and to operators, and alerts.

Belongs here: who is notified when; the messages go to the outbox. Not here: what a mail says (``pipeline.reporting.mail_content``), the report itself
(``pipeline.reporting.report_files``), carrying (``store.outbox.smtp``, ``store.outbox.webhook``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from roster_etl.pipeline.reporting.import_summary import CODE as PARKED
from roster_etl.pipeline.reporting.import_summary import report_path
from roster_etl.pipeline.reporting.lineage_events import MISSING, can_emit, lineage_messages
from roster_etl.pipeline.reporting.mail_content import Notice, district_mail, operator_mail, render_mail, status_reason
from roster_etl.pipeline.reporting.next_steps import NextStep, closed_holds_text, next_steps
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RegistryError, RosterError
from roster_etl.store.outbox.outbox import Message

_MAX_ATTACHMENT_BYTES = 1_000_000  # bytes; a longer file is not attached
_REFUSING = ("upload", "file", "reject")
_PROBLEMS = ("held", "rejected", "failed")


def queue_notifications(workspace: Workspace, document: Mapping[str, Any]) -> list[str]:
    """Queue mail, alerts and the OpenLineage event of an import that has ended, unless that was done before. Returns the ids of new messages.

    Args: document: of its report (``pipeline.reporting.report_files.report_document``).
    """
    if document["status"] == "running":
        return []
    messages = [*_import_mails(workspace, document), *_import_alert(workspace, document)]
    new = [message.id for message in messages if workspace.outbox.put(message)]
    return [*new, *_queue_lineage(workspace, document)] if workspace.settings.openlineage.url else new


def _queue_lineage(workspace: Workspace, document: Mapping[str, Any]) -> list[str]:
    """Queue the OpenLineage event of an import. What the library cannot do is told by an alert, once, and stops nothing else."""
    if not can_emit():
        queue_alert(workspace, "failed", about="openlineage-missing", text=MISSING)
        return []
    try:
        return [message.id for message in lineage_messages(workspace, document) if workspace.outbox.put(message)]
    except (RosterError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - another version of the library may lack a class or refuse a value
        text = f"OpenLineage events are not emitted: openlineage-python raised {type(error).__name__}; is it the locked version?"
        queue_alert(workspace, "failed", about=f"openlineage-{type(error).__name__}", text=text)
        return []


def queue_mail(
    workspace: Workspace, what: str, to: Sequence[str], *, about: str, title: str, reason: str, steps: Sequence[NextStep]
) -> list[str]:
    """Queue one mail of the kind `what` for each contact of a district, where mail is set up. Returns the ids of new messages.

    What is done by command is for operators: where there are any, contacts get the other steps only.
    """
    reply_to = _reply_to(workspace)
    own = [step for step in steps if not step.command] if workspace.settings.mail.operators else steps
    content = Notice(title=title, why=reason, steps=own, answer="Answer this mail if anything is unclear." if reply_to else "")
    contacts = _without(to, _operators(workspace, what))
    mails = _mails(workspace, contacts, about, title, render_mail("notice", content), reply_to=reply_to)
    return [mail.id for mail in mails if workspace.outbox.put(mail)]


def queue_alert(
    workspace: Workspace, what: str, *, about: str, text: str, title: str = "", steps: Sequence[NextStep] = ()
) -> list[str]:
    """Queue an alert of the kind `what`, where a webhook is set up for it, and mail to the operators who are told of it.

    Args: title, steps: of the mail; without a title, the first line of the text is one.
    Returns: the ids of new messages.
    """
    head, _, rest = text.partition("\n")
    content = Notice(title=title or head, why=text if title else rest, steps=steps)
    mails = _mails(workspace, _operators(workspace, what), f"{about}-operators", content.title, render_mail("notice", content))
    messages = [*_alert(workspace, what, about, text), *mails]
    return [message.id for message in messages if workspace.outbox.put(message)]


def summary_text(document: Mapping[str, Any]) -> str:
    """Return the text of the operators' mail about an import, as Markdown, whether anybody gets mail or not, with ids of schools only.

    Args: document: of its report.
    """
    text, _ = render_mail("operator", operator_mail({**document, "school_names": {}}))
    return f"```\n{text.replace('```', '')}```\n"


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


def _import_mails(workspace: Workspace, document: Mapping[str, Any]) -> Iterator[Message]:
    """Yield the mails about an import: to its district, and to operators."""
    if not workspace.settings.mail.host:
        return
    operators, reply_to, about = workspace.settings.mail.operators, _reply_to(workspace), _message_key(document)
    to = recipients(workspace, document["district_id"], document["source"], problem=is_problem(workspace, document))
    told = _operators(workspace, document["status"])
    contacts = _without(to, told)
    attachments = _attachments(workspace, document) if contacts or told else ()
    if contacts:
        own = district_mail(document, has_operators=bool(operators), can_reply=bool(reply_to))
        texts = render_mail("district", own, attached=bool(attachments))
        yield from _mails(workspace, contacts, about, own.title, texts, reply_to=reply_to, attachments=attachments)
    if told:
        theirs = operator_mail(document)
        texts = render_mail("operator", theirs, attached=bool(attachments))
        yield from _mails(workspace, told, f"{about}-operators", theirs.title, texts, attachments=attachments)


def _operators(workspace: Workspace, what: str) -> tuple[str, ...]:
    """Return the operators who are told of endings and events of the kind `what`."""
    mail = workspace.settings.mail
    return mail.operators if what in mail.operators_on else ()


def _without(addresses: Sequence[str], others: Sequence[str]) -> list[str]:
    """Return `addresses` without `others`: nobody is told twice."""
    return [address for address in addresses if address not in others]


def _reply_to(workspace: Workspace) -> str:
    """Return where the answer of a district goes; empty: nowhere that the settings name."""
    mail = workspace.settings.mail
    return mail.reply_to or ", ".join(mail.operators)


def _mails(
    workspace: Workspace,
    to: Sequence[str],
    about: str,
    subject: str,
    texts: tuple[str, str],
    *,
    reply_to: str = "",
    attachments: tuple[tuple[str, str, str], ...] = (),
) -> Iterator[Message]:
    """Yield the mail to each of `to`, in plain text and in HTML; none where no mail is set up."""
    if not workspace.settings.mail.host:
        return
    now = datetime.now(UTC).isoformat()
    plain, rich = texts
    for address in to:
        yield Message(
            kind="mail",
            about=about,
            to=address,
            created=now,
            due=now,
            subject=subject,
            text=plain,
            html=rich,
            reply_to=reply_to,
            attachments=attachments,
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


def _import_alert(workspace: Workspace, document: Mapping[str, Any]) -> Iterator[Message]:
    where, links = f"{document['district_id']}/{document['source']}", document.get("links", {})
    ending = f"{document['status']}, {PARKED}" if document.get("parked") else document["status"]
    command = next((step.command for step in next_steps(document) if step.command), "")
    lines = [
        f"{where}: import {document['import_id']} is {ending}. {status_reason(document)}".rstrip(),
        closed_holds_text(document),
        command,
        links.get("review") or links.get("run", ""),
        links.get("report", ""),
    ]
    yield from _alert(workspace, document["status"], _message_key(document), "\n".join(line for line in lines if line))


def _alert(workspace: Workspace, what: str, about: str, text: str) -> Iterator[Message]:
    alerts = workspace.settings.alerts
    if alerts.is_enabled and what in alerts.on:
        now = datetime.now(UTC).isoformat()
        yield Message(kind="webhook", about=about, created=now, due=now, text=text)


def _message_key(document: Mapping[str, Any]) -> str:
    """Return the name of a notification: one per import and status."""
    return f"import-{document['import_id']}-{document['status']}"
