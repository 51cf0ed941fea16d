"""A home, opened: settings, registry, archive, staging and warehouse in one place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from roster_etl.frames.arrow import use_jemalloc
from roster_etl.quality import load_effective_suites
from roster_etl.spec.errors import PermanentError
from roster_etl.store.archive import Archive
from roster_etl.store.home_integrity import require_safe_home
from roster_etl.store.import_locks import ImportLocks
from roster_etl.store.library_logs import quiet_library_logs
from roster_etl.store.outbox.outbox import Outbox
from roster_etl.store.registry.registry import Registry, open_registry
from roster_etl.store.run_locks import RunLocks
from roster_etl.store.settings import Settings
from roster_etl.store.staging_frames import FrameStore
from roster_etl.store.warehouse import Warehouse

RESTORE_MARKER = "half_restored"
"""The file that a home has while a backup is brought back into it."""


class HalfRestored(PermanentError):
    """A restore was broken off: some of the backup is in this home, and some is not."""

    code = "half_restored"
    template = "{home}: a restore did not come to its end here; remove this folder, and restore the backup into a new one"


@dataclass(frozen=True)
class Workspace:
    """The stores of one home. What needs the disk or a database is opened when it is first asked for."""

    settings: Settings
    signs_receipts: ClassVar[bool] = True
    """Whether imports get receipts, where there is a key; a dry run and a replay sign nothing."""

    def __post_init__(self) -> None:
        """Refuse a home that is half there."""
        if (self.settings.home / RESTORE_MARKER).exists():
            raise HalfRestored(home=self.settings.home)

    @classmethod
    def open(cls, home: Path) -> Workspace:
        """Open `home`; one that is missing or empty works with defaults. Raises SettingsError, HalfRestored."""
        use_jemalloc()
        quiet_library_logs()
        return cls(Settings.load(home))

    @classmethod
    def open_to_write(cls, home: Path) -> Workspace:
        """Open `home` for a run or a sensor, which act on what its settings say. Raises as `open`, and UnsafeHome."""
        workspace = cls.open(home)
        require_safe_home(workspace.settings)
        return workspace

    def close(self) -> None:
        """Close the connections that were opened. The workspace can still be used."""
        if "warehouse" in vars(self):
            self.warehouse.close()
        if "frames" in vars(self):
            self.frames.close()

    @property
    def home(self) -> Path:
        """The home's folder."""
        return self.settings.home

    @cached_property
    def registry(self) -> Registry:
        """The districts."""
        return open_registry(self.settings)

    @cached_property
    def archive(self) -> Archive:
        """The bytes of every upload."""
        return Archive(self.settings.archive)

    @cached_property
    def frames(self) -> FrameStore:
        """Frames between steps."""
        return FrameStore(self.settings.staging, self.settings.scratch)

    @property
    def import_locks(self) -> ImportLocks:
        """Which imports a process of this home works on."""
        return ImportLocks(self.settings.scratch, self.settings.warehouse)

    @property
    def run_locks(self) -> RunLocks:
        """Which runs without an import a process of this machine works on."""
        return RunLocks(self.settings.scratch)

    @property
    def outbox(self) -> Outbox:
        """Undelivered mail and alerts."""
        return Outbox(self.home / "outbox", tries=self.settings.mail.tries)

    @cached_property
    def warehouse(self) -> Warehouse:
        """The ledger and the roster, at this version's schema. Raises SchemaBehind."""
        return Warehouse(self.settings.warehouse)

    @cached_property
    def suites(self) -> dict[str, dict[str, Any]]:
        """The quality suites by name (``clever/students``): the package's, or those of the home in their place."""
        return load_effective_suites(self.settings.suites)
