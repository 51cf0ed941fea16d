"""``audit``: who decided what, and when."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from roster_etl.cli.context import Call
from roster_etl.cli.districts import require_known_district
from roster_etl.cli.options import DistrictFilter
from roster_etl.cli.times import parse_moment


def audit(
    call: Call,
    district: DistrictFilter = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="TIME", help="From then on: 2026-09-01, 2026-09-01T08:00Z, yesterday, or an age such as 7d."
        ),
    ] = None,
) -> int:
    """List the audit log: approvals, discards, undos, edits, reruns, purges, grants, registry changes. Entries cannot be removed."""
    rows = call.warehouse.ledger.audit(district, parse_moment(since, "UTC", "--since") if since else None)
    if district is not None and not rows and not call.warehouse.ledger.audit(district):
        require_known_district(call, district)
    header = ("at (UTC)", "who", "as", "by", "what", "", "district", "import", "")
    return call.show_rows(rows, header, [_table_row(row) for row in rows], none="Nothing was decided.")


def _table_row(row: dict[str, Any]) -> tuple[object, ...]:
    place = "/".join(filter(None, (row["district_id"], row["source"])))
    about = " ".join(f"{name}={_format_value(value)}" for name, value in row["about"].items())
    done = "" if row["outcome"] == "done" else row["outcome"]
    moment = f"{row['at']:%Y-%m-%d %H:%M:%S}"
    return moment, row["who"] or "", row["os_user"], row["via"], row["action"], done, place, row["import_id"] or "", about


def _format_value(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
