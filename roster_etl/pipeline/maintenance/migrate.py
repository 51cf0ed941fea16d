"""Upgrade: bring the warehouse to this version's schema while nobody is in the middle of an import.

Belongs here: waiting for, or refusing beside, imports of this home. What changes is ``store.migrations``.
"""

from __future__ import annotations

from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RetryableError
from roster_etl.store import migrations


class ImportsUnderWay(RetryableError):
    """The schema would change under imports that another version of the program has begun."""

    code = "imports_under_way"
    template = (
        "imports {numbers} are under way: their processes run the version of before. Stop the daemon, let them end (or stop their runs in the "
        "Dagster UI), then run `roster-etl migrate` again"
    )


def migrate_warehouse(workspace: Workspace) -> str | None:
    """Migrate, while no import of this home can begin. Returns the revision of before (None: none).

    Raises: ImportsUnderWay; SchemaAhead: a newer version of the program has migrated it.
    """
    with workspace.import_locks.exclusive():
        if workspace.warehouse.revision() not in (None, migrations.HEAD):
            at_work = [number for number in workspace.warehouse.running() if workspace.import_locks.is_locked(number)]
            if at_work:
                raise ImportsUnderWay(numbers=", ".join(map(str, at_work)))
        return workspace.warehouse.migrate()
