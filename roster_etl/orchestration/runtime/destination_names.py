"""The names of destinations that a process shows as assets: those in the registry's index when the process began.

Belongs here: that one look. A destination that was added later is sent all the same (``sensors.export_sensor``); its asset appears when the
code location is reloaded.
"""

from __future__ import annotations

from roster_etl.spec.errors import RosterError
from roster_etl.store.default_home import default_home
from roster_etl.store.registry.registry import open_registry
from roster_etl.store.settings import Settings


def loaded_destination_names() -> tuple[str, ...]:
    """Return the names in the registry's index; none if there is no home yet, or it cannot be read: each run and tick says why."""
    try:
        return open_registry(Settings.load(default_home())).destination_names()
    except (RosterError, OSError, UnicodeDecodeError):
        return ()
