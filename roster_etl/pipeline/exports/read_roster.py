"""Read a roster for an export: all tables of a feed as of a moment, each in the order of its keys."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pyarrow as pa

from roster_etl.canonical.roster import TABLES
from roster_etl.exports.export_tables import ExportTables
from roster_etl.exports.plan import PERSON_ID
from roster_etl.exports.scope import leave_out, narrow
from roster_etl.pipeline.exports.order import ResolvedExport
from roster_etl.pipeline.reconciliation.person_ids import person_ids
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.files.column_spool import ColumnSpool

_ORDERS = {
    "enrollments": ("section_id", "user_kind", "user_id", "course_id", "role", "associated_user_id", "version_id"),
    "attendance": ("version_id",),
}
"""Orders other than that of the keys: as the index has the rows, or as they were written, since sorting would cost more than reading."""


def read_roster(workspace: Workspace, resolved: ResolvedExport, moment: datetime | None = None) -> ExportTables:
    """Return the roster as of `moment` (None: that of the order), narrowed to what the order asks for. Raises UnknownSchool."""
    order, store = resolved.order, ColumnSpool(workspace.settings.scratch)
    with workspace.warehouse.read() as session:
        moment = moment or resolved.moment_to_read(session)
        tables = dict(_tables(session, order.district_id, resolved, moment, store))
        if resolved.options.get(PERSON_ID):
            tables["users"] = _with_people(workspace, resolved, moment, tables["users"])
    work = ExportTables(
        tables=tables,
        district_id=order.district_id,
        district_name=resolved.district_name,
        zone=resolved.zone,
        moment=resolved.as_of,
        options=resolved.options,
        store=store,
    )
    leave_out(work, order.leave_out)
    narrow(work, order.schools, enrolled_only=order.enrolled_only)
    work.reset_row_numbers()
    return work


def _with_people(workspace: Workspace, resolved: ResolvedExport, moment: datetime | None, users: pa.Table) -> pa.Table:
    """Return users with the person that each is across feeds, as of `moment`, among the extra columns."""
    with workspace.warehouse.read_people() as session:
        people = person_ids(session, resolved.order.district_id, resolved.source, moment).column(users).to_pylist()
    place, name = users.schema.get_field_index("extensions"), resolved.format.person_column
    extra = [json.loads(cell or "{}") for cell in users.column("extensions").to_pylist()]
    cells = [json.dumps(one | {name: person}, ensure_ascii=False) for one, person in zip(extra, people, strict=True)]
    return users.set_column(place, users.schema.field(place), pa.chunked_array([pa.array(cells, pa.string())]))


def _tables(
    session: Any, district_id: str, resolved: ResolvedExport, moment: datetime | None, store: ColumnSpool
) -> Iterable[tuple[str, pa.Table]]:
    for name, spec in TABLES.items():
        order = _ORDERS.get(name, (*spec.key, "version_id"))
        yield (
            name,
            session.ledger.export_rows(district_id, resolved.source, name, moment, order=order, collect=store.collect),
        )
