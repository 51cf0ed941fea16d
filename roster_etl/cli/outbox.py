"""The commands `outbox list`, `outbox send` and `outbox discard`: undelivered notifications."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from roster_etl.cli.context import Call
from roster_etl.cli.exit_codes import FAILED
from roster_etl.cli.global_options import UsageError
from roster_etl.pipeline.reporting.announce import flush_outbox
from roster_etl.spec.errors import UnsafePath


def outbox_list(call: Call) -> int:
    """List the undelivered messages: recipient, subject, number of tries, and the last problem."""
    outbox = call.workspace.outbox
    messages = outbox.messages()
    for name in outbox.damaged_files():
        call.log(f"roster-etl: outbox/{name} holds no message; remove it")
    names = ("id", "kind", "to", "about", "created", "due", "tries", "parked", "problem")
    documents = [{name: getattr(message, name) for name in names} for message in messages]
    due = ["parked" if m.parked else f"{datetime.fromisoformat(m.due):%m-%d %H:%M}" for m in messages]
    rows = [(m.id, m.to or m.kind, m.about, m.tries, when, m.problem) for m, when in zip(messages, due, strict=True)]
    header = ("message", "to", "about", "tries", "next try (UTC)", "what hindered it")
    return call.show_rows(documents, header, rows, none="Nothing waits to be sent.")


def outbox_send(call: Call) -> int:
    """Send all messages in the outbox now, including dead-lettered ones. Exit code 1: a message could not be sent."""
    done = flush_outbox(call.workspace, everything=True, seconds=600)
    left = len(call.workspace.outbox.messages())
    for problem in done.problems:
        call.log(f"roster-etl: {problem}")
    call.show_result({**asdict(done), "left": left}, f"{done.sent} sent, {left} left.")
    return FAILED if left else 0


def outbox_discard(call: Call, message: Annotated[str, typer.Argument(metavar="MESSAGE", help="Its name in the list.")]) -> int:
    """Discard a message: it is not sent, and not queued again."""
    try:
        found = call.workspace.outbox.discard(message)
    except UnsafePath:
        found = False
    if not found:
        raise UsageError(problem=f"no message {message} is in the outbox; `roster-etl outbox list` shows those that are")
    return call.show_result({"id": message, "discarded": True}, f"{message} is discarded.")
