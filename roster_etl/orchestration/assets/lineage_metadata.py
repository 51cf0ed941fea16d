"""Lineage metadata of an asset: upload, files, overrides, and the commands that trace one record.

Belongs here: texts and links for metadata. No cell may be in the UI, whose log is permanent and has no log-in of its own: where
one is needed, the metadata has the command that prints it, to be completed with the record's key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import dagster as dg

from roster_etl.canonical.roster import TABLES
from roster_etl.orchestration.assets.markdown import LinkCell, markdown_table
from roster_etl.pipeline.reporting.import_summary import ImportSummary
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.files.urls import join, redact
from roster_etl.vendors import vendor
from roster_etl.vendors.lineage import reads_of

ACTIVE_OVERRIDES = "active_overrides"
CLI_COMMANDS = "cli_commands"


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """The origin of an import's records.

    ``row``: its ledger row; ``files``: of its upload; ``edits``: number of records, by table and column.
    """

    row: Mapping[str, Any]
    files: Sequence[Mapping[str, Any]]
    edits: Mapping[tuple[str, str], int]
    manifest: str

    @classmethod
    def read(cls, workspace: Workspace, summary: ImportSummary) -> Provenance:
        """Return the provenance of the import of `summary`, with the overrides of its feed that are in force now."""
        with workspace.warehouse.read() as session:
            edits = session.roster.overrides(summary.district_id, summary.source)
        return cls(
            row=summary.row,
            files=summary.files,
            edits=Counter((edit["table_name"], edit["field"]) for edit in edits),
            manifest=join(redact(workspace.settings.archive), f"manifests/{summary.district_id}/{summary.import_id}.json"),
        )

    def table_metadata(self, table: str) -> dict[str, Any]:
        """Return metadata of a published table: its source files, overrides in it, and the command that traces a record."""
        row = self.row
        feed = f"--district {row['district_id']} --format {row['source']}"
        key = " ".join(f"{name}=…" for name in TABLES[table].key)
        moment = row["finished_at"].isoformat().replace("+00:00", "Z")
        return {
            **self._upload_metadata({file for _, pairs in reads_of(vendor(row["source"]), table) for file, _ in pairs}),
            **self._edits_metadata({place: count for place, count in self.edits.items() if place[0] == table}),
            CLI_COMMANDS: _command_block(
                ("one record, back to file, row and text", f"roster-etl trace {table} {key} {feed}"),
                ("the table as it was known then", f"roster-etl as-of {moment} {table} {feed}"),
                ("the import", f"roster-etl show {row['import_id']}"),
            ),
        }

    def import_metadata(self) -> dict[str, Any]:
        """Return metadata of an import: its files, all overrides, its archived objects, and the commands for details."""
        number = self.row["import_id"]
        return {
            **self._upload_metadata({file["kind"] for file in self.files if file["kind"]}),
            **self._edits_metadata(self.edits),
            "archive": dg.MetadataValue.path(self.manifest),
            CLI_COMMANDS: _command_block(
                ("the import, with every finding", f"roster-etl show {number}"),
                ("the edits by hand", f"roster-etl override list --district {self.row['district_id']}"),
                (
                    "what changed since",
                    f"roster-etl changes --district {self.row['district_id']} --format {self.row['source']} --since {number}",
                ),
            ),
        }

    def _upload_metadata(self, kinds: set[str]) -> dict[str, Any]:
        """Return the upload of the import, and its files of the given `kinds`, each with its counts and a link to its asset."""
        district_id, source = self.row["district_id"], self.row["source"]
        rows = [
            (
                LinkCell(file["file"], asset_path(source, file["kind"], district_id)),
                f"{file['rows_read']:,}",
                f"{file['rows_rejected']:,}",
            )
            for file in self.files
            if file["kind"] in kinds
        ]
        upload = {"upload": self.row["upload_id"]} if self.row["upload_id"] else {}
        return {**upload, **({"source_files": markdown_table(("file", "rows:", "refused:"), rows)} if rows else {})}

    def _edits_metadata(self, edits: Mapping[tuple[str, str], int]) -> dict[str, Any]:
        rows = [(f"{table}.{field}", f"{count:,}") for (table, field), count in sorted(edits.items())]
        return {ACTIVE_OVERRIDES: markdown_table(("column", "records:"), rows) if rows else "none"}


def show_command_metadata(import_id: int) -> dict[str, Any]:
    """Return metadata of an unpublished result: the command that shows the import."""
    return {
        CLI_COMMANDS: _command_block(("the import: what came, what was found, what would change", f"roster-etl show {import_id}"))
    }


def asset_path(source: str, name: str, district_id: str) -> str:
    """Return the link to an asset's page, at a district."""
    return f"/assets/{source}/{name}?{urlencode({'view': 'partitions', 'partition': district_id})}"


def _command_block(*lines: tuple[str, str]) -> dg.MarkdownMetadataValue:
    """Return commands, each below its label, because the UI truncates long lines."""
    return dg.MetadataValue.md("```sh\n" + "\n".join(f"# {what}\n{command}" for what, command in lines) + "\n```")
