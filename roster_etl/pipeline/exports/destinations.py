"""Send a roster to a destination of a district: as an export, unless it is unchanged or much smaller than the last one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from roster_etl.pipeline.exports.export_roster import Shrunk, export_roster, open_target
from roster_etl.pipeline.exports.order import ExportOrder, export_options, published_source
from roster_etl.pipeline.exports.shrink_gate import ShrinkGate, last_sent
from roster_etl.pipeline.reporting.next_steps import NextStep
from roster_etl.pipeline.reporting.notifications import queue_alert, queue_mail, recipients
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RosterError
from roster_etl.store.registry.district import Destination, Feed
from roster_etl.vendors.export_formats import export_format


def send(workspace: Workspace, district_id: str, name: str, *, requested_by: str, accept_shrink: bool = False) -> dict[str, Any]:
    """Send the present roster to a destination, and return the document of the export; ``status`` ``unchanged``: nothing was sent.

    Raises: UnknownDestination, and what `export_roster` raises for slips of the settings.
    """
    destination = workspace.registry.get(district_id).destination(name)
    gate = ShrinkGate(workspace, district_id, destination, accept_shrink=accept_shrink)
    order = ExportOrder(
        district_id=district_id,
        format=destination.format,
        to=destination.to,
        requested_by=requested_by,
        source=destination.source or None,
        options=destination.options,
        schools=destination.schools,
        leave_out=destination.leave_out,
        enrolled_only=destination.enrolled_only,
        formulas=destination.formulas,
        strict=destination.strict,
        replace=True,
        destination=destination.name,
    )
    document = export_roster(workspace, order, login=login_of(destination), gate=gate)
    if document["status"] in ("refused", "failed"):
        _tell(workspace, destination, document)
    return document


def send_unattended(workspace: Workspace, district_id: str, name: str, *, requested_by: str) -> dict[str, Any]:
    """Send as `send` does, where nobody reads an error: what stopped it before it began is told by alert and mail as well, once a day.

    Raises: UnknownDestination, which is told to nobody, and what `export_roster` raises.
    """
    destination = workspace.registry.get(district_id).destination(name)
    try:
        return send(workspace, district_id, name, requested_by=requested_by)
    except Exception as error:
        ours = isinstance(error, RosterError)
        reason = error.message if isinstance(error, RosterError) else f"{type(error).__name__}; see the log of its run"
        about = f"export-{district_id}-{name}-{error.code if ours else 'error'}-{datetime.now(UTC):%Y-%m-%d}"  # type: ignore[attr-defined]
        step = NextStep(
            text="See what is wrong with it.", command=f"roster-etl destinations check {name} --district {district_id}"
        )
        _notify(workspace, destination, district_id, "failed", about=about, reason=reason, step=step)
        raise


def check(workspace: Workspace, district_id: str, name: str) -> None:
    """Check a destination without sending: its format, options and feed, log-in and host key, and that the place is free or ours.

    Raises: RosterError: what is wrong.
    """
    destination = workspace.registry.get(district_id).destination(name)
    export_options(export_format(destination.format), destination.options)
    published_source(workspace, district_id, destination.source or None)
    target = open_target(workspace, destination.to, login_of(destination))
    target.check(replace=True, former=_sent_names(workspace, district_id, name))


def login_of(destination: Destination) -> Feed:
    """Return the log-in of a destination, in the shape of a feed's."""
    names = ("known_hosts", "key_file", "password_file", "password_env")
    return Feed(format=destination.format, **{name: getattr(destination, name) for name in names})


def _sent_names(workspace: Workspace, district_id: str, name: str) -> frozenset[str]:
    last = last_sent(workspace, district_id, name)
    return frozenset(file["file"] for file in last["files"]) if last else frozenset()


def _tell(workspace: Workspace, destination: Destination, document: Mapping[str, Any]) -> None:
    """Queue what is to be told of a refusal; the same one of the same roster is told once."""
    district_id = document["district_id"]
    name, text = destination.name, "Look at the last exports; if the roster is right, send it."
    command = f"roster-etl destinations send {name} --district {district_id} --accept-shrink"
    if document["error"]["code"] != Shrunk.code:
        text, command = "See what is wrong with it.", f"roster-etl destinations check {name} --district {district_id}"
    step = NextStep(text=text, command=command)
    _notify(
        workspace,
        destination,
        district_id,
        "failed" if document["status"] == "failed" else "held",
        about=f"export-{district_id}-{destination.name}-{document['as_of_import']}-{document['status']}",
        reason=document["error"]["message"],
        step=step,
        source=document["source"],
    )


def _notify(
    workspace: Workspace,
    destination: Destination,
    district_id: str,
    kind: Literal["failed", "held"],
    *,
    about: str,
    reason: str,
    step: NextStep,
    source: str = "",
) -> None:
    """Queue an alert, and one mail to the contacts of the district and of the feed."""
    title = f"{district_id}: the roster was not sent to {destination.name}"
    queue_alert(workspace, kind, about=about, text=f"{title}. {reason}", title=title, steps=[step])
    to = recipients(workspace, district_id, source or destination.source, problem=True)
    queue_mail(workspace, kind, to, about=about, title=title, reason=reason, steps=[step])
