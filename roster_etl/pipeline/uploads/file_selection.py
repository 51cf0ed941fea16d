"""Decide from a listing which files of an upload are read: by names alone, before waiting and copying.

Belongs here: the selection for a format and a file set. Does not belong here: the kind of a file that is read (``classify``), or
how long an upload must stand still (``store.landing.quiet_period``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from roster_etl.spec import Format
from roster_etl.store.landing.entries import Entry, Selection
from roster_etl.store.landing.upload_source import Select, UploadKind


def file_selection(format_: Format, file_set: str = "") -> Select:
    """Return the function that selects the files of an upload in `file_set` of the whole format `format_`.

    Files of another set are ignored: they may be incomplete, or as large as a whole district.
    """
    named = {file.file_name.casefold() for file in (*format_.files, *format_.other_files)}
    by_headers = format_.identify_by == "headers"

    def select(kind: UploadKind, entries: Sequence[Entry]) -> Selection:
        own = [entry for entry in entries if format_.file_set_of(entry.name) == file_set]
        regular = [entry for entry in own if entry.regular]
        read = (
            _recognized_by_headers(regular, lone_zip=format_.lone_zip and kind == "folder")
            if by_headers
            else [entry for entry in regular if _base_name(entry) in named]
        )
        chosen = set(read)
        return Selection(
            read=tuple(read),
            foreign=tuple(entry for entry in regular if entry not in chosen),
            irregular=tuple(entry for entry in own if not entry.regular),
        )

    return select


def awaited(selection: Selection) -> tuple[Entry, ...]:
    """Return the entries that must stand still before an import: those that are read, as they are.

    If there is none, the foreign ones by name alone: that they are there is reported, and what is in them does not matter.
    """
    return selection.read or tuple(replace(entry, size=0, mtime=0.0) for entry in selection.foreign)


def _recognized_by_headers(entries: Sequence[Entry], *, lone_zip: bool) -> list[Entry]:
    """Return the CSV files; if there are none, and one zip that stands for them, that zip."""
    tables = [entry for entry in entries if entry.name.casefold().endswith(".csv")]
    archives = [entry for entry in entries if entry.name.casefold().endswith(".zip")]
    return tables if tables or not lone_zip or len(archives) != 1 else archives


def _base_name(entry: Entry) -> str:
    return entry.name.rpartition("/")[2].casefold()
