"""What the steps of an import leave for each other in the staging area."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa

from roster_etl.pipeline.uploads.upload import Member, Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.quality import Verdict
from roster_etl.store.warehouse import LEAVING, Edit

STAGE, VERDICTS = "fold", "verdicts"


def refused_by_fold(workspace: Workspace, upload: Upload, *, whole: bool = True) -> dict[str, int]:
    """Return by file as uploaded how many of its rows the fold refused; nothing for formats without one.

    Args: whole: the fold has been walked; an import that failed may not have come to it.
    """
    place = (upload.district_id, upload.import_id)
    if upload.vendor.fold is not None and not whole and not workspace.frames.exists(*place, STAGE):
        return {}
    return dict(_about_fold(workspace, upload).get("refused", {}))


def how_compared(workspace: Workspace, upload: Upload) -> str | None:
    """Return how the upload was compared with the last one of its data set; ``refused``: too often too different; None: not at all."""
    how: str | None = _about_fold(workspace, upload).get("compared")
    return how


def released_rows(workspace: Workspace, upload: Upload) -> list[list[Any]]:
    """Return import, file and row of each refused row of an earlier import that was applied now."""
    return list(_about_fold(workspace, upload).get("released", []))


def leaving_quarantine(workspace: Workspace, upload: Upload) -> pa.Table:
    """Return the refused rows of earlier imports that were applied, or gave way to newer ones (LEAVING)."""
    lines = _about_fold(workspace, upload).get("leaving", [])
    return pa.Table.from_pylist([dict(zip(LEAVING.names, line, strict=True)) for line in lines], schema=LEAVING)


def edits_of(workspace: Workspace, upload: Upload) -> list[Edit]:
    """Return what the import does to stewards' edits."""
    return [Edit(**edit) for edit in _about_fold(workspace, upload).get("edits", [])]


def _about_fold(workspace: Workspace, upload: Upload) -> Mapping[str, Any]:
    """Return what the fold left to be told; nothing for formats without one. Raises FrameError: it was lost."""
    if upload.vendor.fold is None:
        return {}
    about: Mapping[str, Any] = workspace.frames.read_json(upload.district_id, upload.import_id, STAGE)
    return about


def keep_verdicts(workspace: Workspace, upload: Upload, verdicts: Iterable[Verdict]) -> None:
    """Leave the verdicts of an upload's suites in staging, for the plan and for Data Docs."""
    workspace.frames.write_json(upload.district_id, upload.import_id, VERDICTS, [verdict.to_dict() for verdict in verdicts])


def unkept_name(upload: Upload, member: Member) -> str:
    """Return the name under which staging holds what was found in a file whose bytes were not kept."""
    place = next(place for place, other in enumerate(upload.members) if other.name == member.name)
    return f"unkept/{member.kind}-{place}"


def verdicts(workspace: Workspace, upload: Upload, *, whole: bool = False) -> list[Verdict]:
    """Return the verdicts of the upload's suites, files before tables, each in the order of the steps; none before the gates.

    Args:   whole: every step has been walked, so that verdicts which are not there were lost.
    Raises: FrameError: they were lost.
    """
    place = (upload.district_id, upload.import_id)
    if not whole and not workspace.frames.exists(*place, VERDICTS):
        return []
    return [Verdict.from_dict(document) for document in workspace.frames.read_json(*place, VERDICTS)]


def refused_files(workspace: Workspace, upload: Upload) -> dict[str, str]:
    """Return by name the files that were refused as a whole, and the code for which."""
    return {name: document["refused"] for name, document in _documents(workspace, upload).items() if document["refused"]}


def _documents(workspace: Workspace, upload: Upload) -> dict[str, Any]:
    """Return what the judge said of each file that the upload has."""
    place = (upload.district_id, upload.import_id)
    return {
        file.name: workspace.frames.read_json(*place, f"judged/{file.name}")
        for file in upload.format.files
        if upload.member(file.name)
    }


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
