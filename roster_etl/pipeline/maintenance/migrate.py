"""Migrate the warehouse to this version's schema while no import is running.

Belongs here: waiting for the imports of this home, or refusing while they run. The schema changes are in ``store.migrations``.
"""

from __future__ import annotations

from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RetryableError
from roster_etl.store import migrations


class ImportsUnderWay(RetryableError):
    """Imports that another version of the program began are running, and the migration would change their schema."""

    code = "imports_under_way"
    template = (
        "imports {numbers} are under way: their processes run the version of before. Stop the daemon, let them end (or stop their runs in the "
        "Dagster UI), then run `roster-etl migrate` again"
    )


def migrate_warehouse(workspace: Workspace) -> str | None:
    """Migrate the warehouse while no import of this home can begin. Returns the previous revision (None: none).

    Raises: ImportsUnderWay; SchemaAhead: a newer version of the program has migrated it.
    """
    with workspace.import_locks.exclusive():
        if workspace.warehouse.revision() not in (None, migrations.HEAD):
            at_work = [number for number in workspace.warehouse.running() if workspace.import_locks.is_locked(number)]
            if at_work:
                raise ImportsUnderWay(numbers=", ".join(map(str, at_work)))
        return workspace.warehouse.migrate()
