"""What an export has come to so far: its files, its losses, its number in the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from roster_etl.exports.losses import Losses
from roster_etl.spec.errors import RosterError
from roster_etl.store.fault_injection import fault_point


@dataclass
class ExportProgress:
    """The state of an export. ``files``: name, rows, bytes and sha256 of each; ``error``: what ended it.

    ``receipt``: what its document says of the signed receipt.
    """

    files: list[dict[str, Any]] = field(default_factory=list)
    losses: Losses = field(default_factory=Losses)
    refused: dict[str, Any] | None = None
    error: RosterError | None = None
    export_id: int | None = None
    receipt: dict[str, Any] | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def write(self, folder: Path, name: str, content: Iterable[bytes], rows: int | Callable[[], int]) -> None:
        """Write a file of `rows` rows, and note its size and hash. A number that is known afterwards is asked for then."""
        size, digest = 0, hashlib.sha256()
        with (folder / name).open("xb") as out:
            for piece in content:
                out.write(piece)
                digest.update(piece)
                size += len(piece)
                fault_point("export.write")
        self._note(name, rows if isinstance(rows, int) else rows(), size, digest.hexdigest())

    def drop_unsent_files(self) -> None:
        """Forget the files of an export that ended before they began to be moved; later, some may be at the destination."""
        if self.export_id is None:
            self.files = []

    def record_file(self, folder: Path, name: str, rows: int) -> None:
        """Note a file that somebody else wrote."""
        with (folder / name).open("rb") as found:
            digest = hashlib.file_digest(found, "sha256").hexdigest()
        self._note(name, rows, (folder / name).stat().st_size, digest)

    def _note(self, name: str, rows: int, size: int, digest: str) -> None:
        self.files.append({"file": name, "rows": rows, "bytes": size, "sha256": digest})
