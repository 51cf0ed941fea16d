"""One connection to the warehouse for a function that reads and writes several times.

Belongs here: this decorator. When a connection is kept, and when it is closed, is in ``store/warehouse/sqlite_pool.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from roster_etl.pipeline.workspace import Workspace

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def on_one_connection(
    function: Callable[Concatenate[Workspace, Arguments], Result],
) -> Callable[Concatenate[Workspace, Arguments], Result]:
    """Return `function` with a connection that stays open until it ends."""

    @wraps(function)
    def connected(workspace: Workspace, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with workspace.warehouse.keep_connection():
            return function(workspace, *args, **kwargs)

    return connected
