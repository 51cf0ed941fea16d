"""Frames that are loaded when a step asks for them, so that one canonical table at a time is in memory.

Belongs here: mappings that load. What is in the frames is the business of the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

import pandas as pd

from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace

Value = TypeVar("Value")


class Loaded(Mapping[str, Value]):
    """A mapping over `names` whose values are loaded by `load` each time they are asked for."""

    def __init__(self, names: Iterable[str], load: Callable[[str], Value]) -> None:
        self._names = dict.fromkeys(names)
        self._load = load

    def __getitem__(self, name: str) -> Value:
        if name not in self._names:
            raise KeyError(name)
        return self._load(name)

    def __contains__(self, name: object) -> bool:
        return name in self._names  # what is inherited would load the value to find out

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def keep_table(workspace: Workspace, upload: Upload, table: str, frame: pd.DataFrame) -> None:
    """Leave the mapped canonical `table` in staging."""
    workspace.frames.write(upload.district_id, upload.import_id, f"roster/{table}", frame)


def kept_tables(workspace: Workspace, upload: Upload, names: Iterable[str]) -> Loaded[pd.DataFrame]:
    """Return the mapped canonical tables that were left in staging, loaded one by one."""
    return Loaded(names, lambda name: workspace.frames.read(upload.district_id, upload.import_id, f"roster/{name}"))
