"""Begin an import under a lock of this process, and release the lock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

from roster_etl.pipeline.lifecycle.crashed_imports import fail_orphans_under_lock, fail_running_import
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RosterError


def begin_import(workspace: Workspace, district_id: str, source: str, **columns: Any) -> int:
    """Open an import, locked by this process, and return its number. Fails the district's imports whose process crashed.

    Waits while a process of this machine purges the district: it writes manifests and reports anew until its end.
    """
    with lock_out_purges(workspace, district_id), workspace.import_locks.exclusive():
        fail_orphans_under_lock(workspace, district_id)
        return open_claimed_import(workspace, district_id, source, **columns)


def lock_out_purges(workspace: Workspace, district_id: str) -> AbstractContextManager[None]:
    """Wait until no process of this machine purges the district or begins an import of it, and keep others from it for the block."""
    return workspace.run_locks.one_at_a_time(f"purge of {district_id}")


def open_claimed_import(workspace: Workspace, district_id: str, source: str, **columns: Any) -> int:
    """Open an import that is locked by this process before others can read it. The caller holds the exclusive lock."""
    claimed: list[int] = []

    def claim(number: int) -> None:
        workspace.import_locks.acquire(number, columns.get("run_id"))
        claimed.append(number)

    try:
        with workspace.warehouse.write() as tx:
            return tx.open_import(district_id=district_id, source=source, claim=claim, **columns)
    except BaseException:
        for number in claimed:  # rolled back, unless the connection broke during the commit
            workspace.import_locks.release(number, ended=False)
        raise


@contextmanager
def fail_import_on_error(workspace: Workspace, import_id: int) -> Iterator[None]:
    """Fail the import in the ledger if the block raises, and release its lock at the end of the block."""
    try:
        yield
    except Exception as error:
        fail_running_import(workspace, import_id, error)
        raise
    finally:
        release_import(workspace, import_id)


def release_import(workspace: Workspace, import_id: int, *, continues_elsewhere: bool = False, ended: bool = False) -> None:
    """Release this process's lock on an import. One that has not ended is failed by the feed's next import.

    Args: continues_elsewhere: another process, maybe of another host, runs the next step. ended: the caller knows that the import has
        ended; otherwise the ledger is read.
    """
    ended = ended or continues_elsewhere
    with suppress(RosterError):  # the ledger may be what failed
        ended = ended or workspace.warehouse.ledger.import_(import_id)["status"] != "running"
    with suppress(RosterError):  # frames of a failed import; any other wrote all of them before it ended
        workspace.frames.flush()
    workspace.frames.close()
    workspace.import_locks.release(import_id, ended=ended)
