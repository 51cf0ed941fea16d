"""What the nightly cleanup has already seen of the ledger, so that it looks only at what is new.

Belongs here: the file ``housekeeping.json`` of a home. It may be deleted at any time: the next cleanup then looks at everything once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RosterError
from roster_etl.store.files.folder import Folder
from roster_etl.store.warehouse import UnknownImport

PROGRESS_FILE = "housekeeping.json"
_BEFORE_ALL = "-"
_FIRST, _MOST = 20, 500  # imports read from the ledger at a time: a night that has nothing to do reads few


@dataclass(frozen=True, kw_only=True)
class CleanupProgress:
    """The imports that one part of the cleanup is finished with: all up to ``through``, but for those in ``pending``.

    ``started``: when import ``through`` began, which tells whether the ledger is still the same; ``latest``: the newest import at the
    last cleanup. ``through`` follows a cleanup later: a lower number may have been given to an import that nobody could see yet.
    """

    through: int = 0
    started: str = ""
    latest: int = 0
    pending: tuple[int, ...] = ()

    @property
    def is_first(self) -> bool:
        """Whether nothing was seen yet."""
        return not self.started


def read_progress(workspace: Workspace, part: str) -> CleanupProgress:
    """Return what `part` of the cleanup has seen; nothing if the file is missing or damaged, or the ledger is another one."""
    with suppress(KeyError, TypeError, ValueError):
        document = _read(workspace)[part]
        seen = CleanupProgress(**{**document, "pending": tuple(document["pending"])})
        if seen.started and _started(workspace, seen.through) == seen.started:
            return seen
    return CleanupProgress()


def write_progress(workspace: Workspace, part: str, seen: CleanupProgress) -> None:
    """Write what `part` of the cleanup has seen."""
    document = {**_read(workspace), part: asdict(replace(seen, started=_started(workspace, seen.through)))}
    Folder(str(workspace.home)).write(PROGRESS_FILE, json.dumps(document).encode())


def add_pending(workspace: Workspace, part: str, import_id: int) -> None:
    """Have `part` of the cleanup look at an import again that it was finished with."""
    seen = read_progress(workspace, part)
    if import_id <= seen.through and import_id not in seen.pending:
        write_progress(workspace, part, replace(seen, pending=(*seen.pending, import_id)))


def unseen_imports(workspace: Workspace, seen: CleanupProgress) -> Iterator[dict[str, Any]]:
    """Yield the ledger rows of the pending imports and of all later ones, by number."""
    for number in seen.pending:
        with suppress(UnknownImport):
            yield workspace.warehouse.ledger.import_(number)
    after, size = seen.through, _FIRST
    while rows := workspace.warehouse.ledger.imports_after(after, size):
        yield from rows
        after, size = int(rows[-1]["import_id"]), _MOST


def advance(
    seen: CleanupProgress, rows: Iterable[Mapping[str, Any]], is_pending: Callable[[Mapping[str, Any]], bool]
) -> CleanupProgress:
    """Return what is seen after `rows`, all that `unseen_imports` gave, were looked at."""
    numbers, pending = [seen.latest, seen.through], []
    for row in rows:
        numbers.append(int(row["import_id"]))
        pending += [numbers[-1]] if is_pending(row) else []
    through = seen.latest or max(numbers)
    return replace(seen, through=through, latest=max(numbers), pending=tuple(n for n in pending if n <= through))


def _read(workspace: Workspace) -> dict[str, Any]:
    with suppress(FileNotFoundError, ValueError):
        found = json.loads(Folder(str(workspace.home)).read(PROGRESS_FILE))
        return found if isinstance(found, dict) else {}
    return {}


def _started(workspace: Workspace, import_id: int) -> str:
    """Return when an import began; empty if it is not in the ledger. Number 0 stands for the time before all imports."""
    if not import_id:
        return _BEFORE_ALL
    with suppress(RosterError):
        return str(workspace.warehouse.ledger.import_(import_id)["started_at"].isoformat())
    return ""
