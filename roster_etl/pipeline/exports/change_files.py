"""The change feed as Parquet files, one for each import, partitioned so that query engines read what they need."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from roster_etl.pipeline.reporting.change_feed import changed_tables, published_imports, require_import_of_feed
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError
from roster_etl.store.files.folder import Folder
from roster_etl.store.files.temp_folders import scratch_folder
from roster_etl.store.files.urls import join, redact
from roster_etl.store.warehouse import SqlLedger

CHANGES_SCHEMA = pa.schema(
    [
        pa.field("published_at", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("table_name", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("change", pa.string(), nullable=False),
        pa.field("close_reason", pa.string()),
    ]
)
"""As the view ``changes`` has them; the partitions ``district_id``, ``source`` and ``import_id`` are in the path. ``key``: JSON."""
FILE, CURSOR = "changes.parquet", "_cursor.json"
_ROWS_AT_ONCE = 50_000


class BadChangeCursor(PermanentError):
    """The file that remembers what was written is unreadable, or of another warehouse."""

    code = "bad_cursor"
    template = "{where}: {problem}; write everything again with --since 0"


@dataclass(frozen=True, kw_only=True)
class WrittenChanges:
    """What was written. ``imports``: the number of changes of each import; ``since``: the newest import that is there."""

    where: str
    imports: Mapping[int, int]
    since: int


def write_change_files(workspace: Workspace, district_id: str, source: str, to: str, since: int | None = None) -> WrittenChanges:
    """Write a file for each import that was published after `since`; None: after the newest one that is at `to`.

    A file that is there is written again with the same content, so a killed call is repeated.
    Raises: BadCursor, BadChangeCursor, UnknownImport; FolderUnavailable, StoreUnavailable, StoreRefused.
    """
    place = join(to, f"district_id={district_id}/source={source}")
    newest = _read_cursor(Folder(place)) if since is None else since
    written: dict[int, int] = {}
    with workspace.warehouse.read() as session, scratch_folder(workspace.settings.scratch) as scratch:
        if newest:
            require_import_of_feed(session.ledger.import_(newest), district_id, source)
        for row in published_imports(session.ledger, district_id, source, newest):
            newest = int(row["import_id"])
            written[newest] = _write_import(session.ledger, row, scratch / FILE)
            Folder(join(place, f"import_id={newest}")).put(FILE, scratch / FILE)
            (scratch / FILE).unlink(missing_ok=True)
            Folder(place).write(CURSOR, json.dumps({"since": newest}).encode())
    return WrittenChanges(where=redact(place), imports=written, since=newest)


def _read_cursor(folder: Folder) -> int:
    """Return the newest import that was written to `folder`, 0 for none. Raises BadChangeCursor."""
    try:
        return int(json.loads(folder.read(CURSOR))["since"])
    except FileNotFoundError:
        return 0
    except (ValueError, KeyError, TypeError):
        raise BadChangeCursor(where=CURSOR, problem="it does not name the last import") from None


def _write_import(ledger: SqlLedger, row: Mapping[str, Any], path: Path) -> int:
    """Write the changes of an import to a local file, some at a time, and return their number."""
    import pyarrow.parquet as pq

    count = 0
    with pq.ParquetWriter(path, CHANGES_SCHEMA, compression="zstd", version="2.6") as out:
        for batch in _batches(ledger, row):
            out.write_batch(batch)
            count += batch.num_rows
    return count


def _batches(ledger: SqlLedger, row: Mapping[str, Any]) -> Iterator[pa.RecordBatch]:
    number, published_at = int(row["import_id"]), row["finished_at"]
    for table in changed_tables(row):
        after: tuple[str, str] | None = None
        while found := ledger.changes_in(number, table, after=after, limit=_ROWS_AT_ONCE):
            yield pa.RecordBatch.from_pylist(
                [{**change, "published_at": published_at, "table_name": table} for change in found], schema=CHANGES_SCHEMA
            )
            after = (found[-1]["key"], found[-1]["change"])
            if len(found) < _ROWS_AT_ONCE:
                break
