"""The gate before a roster is sent: skip one that is unchanged, and refuse one that has shrunk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from roster_etl.pipeline.exports.export_roster import Shrunk
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.district import Destination


def last_sent(workspace: Workspace, district_id: str, name: str) -> Mapping[str, Any] | None:
    """Return the ledger row of the last export that was sent to a destination."""
    with workspace.warehouse.read() as session:
        rows = session.ledger.exports(district_id, destination=name, status="written", limit=1)
    return rows[0] if rows else None


@dataclass(frozen=True)
class ShrinkGate:
    """Whether built files need to be sent, and may be. Called after they were read back."""

    workspace: Workspace
    district_id: str
    destination: Destination
    accept_shrink: bool

    def __call__(self, files: Sequence[Mapping[str, Any]]) -> bool:
        """Return whether the built files are to be sent; False: they are those that were last sent. Raises Shrunk."""
        last = last_sent(self.workspace, self.district_id, self.destination.name)
        if last is None:
            return True
        if last["destination"] == self._place() and _hashes(last["files"]) == _hashes(files):
            return False
        if not self.accept_shrink:
            self._require_size(last["files"], files)
        return True

    def _place(self) -> str:
        from roster_etl.store.files.urls import redact

        return redact(self.destination.to)

    def _require_size(self, before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> None:
        """Require that no file has become much smaller; one that is gone has no rows. Raises Shrunk."""
        rows = {file["file"]: file["rows"] for file in now}
        for file in before:
            left = rows.get(file["file"], 0)
            fewer = file["rows"] - left
            enough = fewer >= self.destination.shrink_min and fewer * 100 >= file["rows"] * self.destination.shrink_pct
            if fewer > 0 and enough:
                place = {"district_id": self.district_id, "name": self.destination.name}
                raise Shrunk(file=file["file"], rows=left, before=file["rows"], count=fewer, **place)


def _hashes(files: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {file["file"]: file["sha256"] for file in files}
