"""OpenLineage events: what an import read and published, and which columns of its files each published column is made of.

Belongs here: one event for each published import, with the schema, column-lineage and statistics facets, and queueing it. Names and counts only:
no cell. Not here: sending (``store.outbox.openlineage``), or what a column is made of (``vendors.lineage``).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from roster_etl.canonical.roster import TABLES, RosterTable
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.outbox.outbox import Message
from roster_etl.store.settings import Settings
from roster_etl.vendors import Vendor, vendor
from roster_etl.vendors.lineage import reads_of, tables_of

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, OutputDataset, RunEvent

MISSING = "OpenLineage events are not emitted: openlineage-python is not installed; install roster-etl[openlineage]."


def can_emit() -> bool:
    """Return whether the extra ``openlineage`` is installed."""
    return find_spec("openlineage") is not None


def lineage_messages(workspace: Workspace, document: Mapping[str, Any]) -> Iterator[Message]:
    """Yield the message with the event of an import, if it was published. The extra ``openlineage`` is needed.

    Args: document: of the import's report (``pipeline.reporting.report_files``).
    """
    if document["status"] == "published":
        from openlineage.client.serde import Serde

        now = datetime.now(UTC).isoformat()
        text = Serde.to_json(lineage_event(workspace.settings, document))
        about = f"import-{document['import_id']}"
        yield Message(
            kind="openlineage", about=about, created=now, due=now, subject=f"lineage of import {document['import_id']}", text=text
        )


def lineage_event(settings: Settings, document: Mapping[str, Any]) -> RunEvent:
    """Return the event of a published import: a completed run, the files that it read, and the tables that it published."""
    from openlineage.client.event_v2 import Job, Run, RunEvent, RunState

    of, namespace = vendor(document["source"]), settings.openlineage.namespace
    return RunEvent(
        eventTime=document["finished_at"],
        producer=_producer(),
        run=Run(runId=_run_id(namespace, document)),
        job=Job(namespace=namespace, name=f"{document['district_id']}.{document['source']}"),
        eventType=RunState.COMPLETE,
        inputs=list(_inputs(namespace, document)),
        outputs=list(_outputs(settings, of, document)),
    )


def _run_id(namespace: str, document: Mapping[str, Any]) -> str:
    """Return the id of the import's run in Dagster, or, of one without, an id that is the same each time."""
    return document["run_id"] or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{namespace}/imports/{document['import_id']}"))


def _inputs(namespace: str, document: Mapping[str, Any]) -> Iterator[InputDataset]:
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import input_statistics_input_dataset

    for file in document["files"]:
        if file["kind"]:
            rows = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
                rowCount=file["rows_read"], size=file["bytes"], producer=_producer()
            )
            name = _file_name(document, file["kind"])
            yield InputDataset(namespace=namespace, name=name, inputFacets={"inputStatistics": rows})


def _outputs(settings: Settings, of: Vendor, document: Mapping[str, Any]) -> Iterator[OutputDataset]:
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import output_statistics_output_dataset

    namespace, prefix = warehouse_name(settings.warehouse)
    read = {file["kind"] for file in document["files"] if file["kind"]}
    for name in tables_of(of):
        changes = document["changes"].get(name, {})
        rows = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            rowCount=changes.get("created", 0) + changes.get("updated", 0), producer=_producer()
        )
        facets = {"schema": _schema(TABLES[name]), "columnLineage": _column_lineage(settings, of, document, name, read)}
        yield OutputDataset(namespace=namespace, name=f"{prefix}{name}", facets=facets, outputFacets={"outputStatistics": rows})


def _schema(table: RosterTable) -> Any:
    from openlineage.client.facet_v2 import schema_dataset

    columns = [
        schema_dataset.SchemaDatasetFacetFields(name=column.name, type=column.type, description=column.comment)
        for column in table.columns
    ]
    return schema_dataset.SchemaDatasetFacet(fields=columns, producer=_producer())


def _column_lineage(settings: Settings, of: Vendor, document: Mapping[str, Any], table: str, read: set[str]) -> Any:
    """Return which columns of the files that were read each column of a table is made of."""
    from openlineage.client.facet_v2 import column_lineage_dataset as facet

    sources: dict[str, dict[tuple[str, str], None]] = {}
    for target, pairs in reads_of(of, table):
        sources.setdefault(target, {}).update(dict.fromkeys(pair for pair in pairs if pair[0] in read))
    namespace = settings.openlineage.namespace
    fields = {
        target: facet.Fields(
            inputFields=[
                facet.InputField(namespace=namespace, name=_file_name(document, file), field=column) for file, column in pairs
            ]
        )
        for target, pairs in sources.items()
        if pairs
    }
    return facet.ColumnLineageDatasetFacet(fields=fields, producer=_producer())


def _file_name(document: Mapping[str, Any], kind: str) -> str:
    """Return the name of a district's file: the same for each upload."""
    return f"{document['district_id']}/{document['source']}/{kind}"


def warehouse_name(url: str) -> tuple[str, str]:
    """Return the namespace of the warehouse, and what stands before a table's name, as OpenLineage names databases.

    Source: OpenLineage, "Naming conventions": ``postgres://host:port`` and ``database.schema.table``. SQLite has none there.
    """
    parts = urlsplit(url)
    if parts.scheme.startswith("postgresql"):
        return f"postgres://{parts.hostname or 'localhost'}:{parts.port or 5432}", f"{parts.path.strip('/')}.public."
    return f"sqlite://{parts.path.removeprefix('/')}", ""


def _producer() -> str:
    return f"urn:roster-etl:{version('roster-etl')}"
