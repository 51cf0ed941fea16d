"""How the command line has an import run: the one seam between its words and whoever walks the road."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roster_etl.cli.call import Call
from roster_etl.cli.failures import Failure, failure_of

if TYPE_CHECKING:
    from roster_etl.pipeline.receive import Order


def run_order(call: Call, order: Order) -> tuple[int, Failure | None]:
    """Have `order` carried out, showing how far it is.

    Returns: its import id (the ledger tells how it ended), and what went wrong after it was opened, if something did.
    Raises: what went wrong before an import was opened in the ledger.
    """
    from roster_etl.orchestration.runs import run_import
    from roster_etl.pipeline.report import write_report
    from roster_etl.pipeline.road import steps_of
    from roster_etl.vendors import vendor

    before = _newest(call, order)
    try:
        with call.progress(steps_of(vendor(order.source)) + 1, f"{order.district_id}/{order.source}") as progress:
            return run_import(call.settings.home, order, tell=progress), None
    except Exception as error:
        found = order.approves[0] if order.approves else _newest(call, order)
        if found is None or (found == before and not order.approves):
            raise
        write_report(call.workspace, found)
        failure = failure_of(error)
        call.say(f"roster-etl: {failure.message}")
        return found, failure


def _newest(call: Call, order: Order) -> int | None:
    found = call.workspace.warehouse.imports(order.district_id, order.source, limit=1)
    return int(found[0]["import_id"]) if found else None
