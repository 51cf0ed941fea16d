"""Decide from a listing which files of an upload are read: by names alone, before waiting and copying."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from roster_etl.spec import File, Format, UnreadFile
from roster_etl.store.landing.entries import Entry, Selection
from roster_etl.store.landing.upload_source import Select, UploadKind


def file_selection(format_: Format, file_set: str = "") -> Select:
    """Return the function that selects the files of an upload in `file_set` of the whole format `format_`.

    Files of another set are ignored: they may be incomplete, or as large as a whole district.
    """
    known: tuple[File | UnreadFile, ...] = (*format_.files, *format_.other_files, *format_.unread)
    named = {name.casefold() for file in known for name in (file.file_name, *file.misspelled_names)}
    by_headers = format_.identify_by == "headers"

    def select(kind: UploadKind, entries: Sequence[Entry]) -> Selection:
        own = [entry for entry in entries if format_.file_set_of(entry.name) == file_set]
        regular = [entry for entry in own if entry.regular]
        tables = [e for e in regular if (e.name.casefold().endswith(".csv") if by_headers else _base_name(e) in named)]
        read = _or_lone_zip(tables, regular) if format_.lone_zip and kind == "folder" else tables
        chosen = set(read)
        return Selection(
            read=tuple(read),
            foreign=tuple(entry for entry in regular if entry not in chosen),
            irregular=tuple(entry for entry in own if not entry.regular),
        )

    return select


def entries_to_watch(selection: Selection) -> tuple[Entry, ...]:
    """Return the entries that must stand still before an import: those that are read, as they are.

    If there is none, the foreign ones by name alone: that they are there is reported, and what is in them does not matter.
    """
    return selection.read or tuple(replace(entry, size=0, mtime=0.0) for entry in selection.foreign)


def _or_lone_zip(tables: list[Entry], entries: Sequence[Entry]) -> list[Entry]:
    """Return `tables`; if there are none, and one zip that stands for them, that zip."""
    archives = [entry for entry in entries if entry.name.casefold().endswith(".zip")]
    return tables if tables or len(archives) != 1 else archives


def _base_name(entry: Entry) -> str:
    return entry.name.rpartition("/")[2].casefold()
