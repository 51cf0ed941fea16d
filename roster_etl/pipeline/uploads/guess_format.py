"""Find the formats that an upload of an unnamed format could have: by its file names and headers.

Only a dry run uses it: an import names its format, or has that of its feed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from roster_etl.engine.csv.header_match import match_header
from roster_etl.engine.csv.reader import read_header
from roster_etl.pipeline.uploads.classify import is_csv, kinds_of
from roster_etl.spec import File, Format
from roster_etl.store.landing.entries import Entry, Selection
from roster_etl.store.landing.upload_source import UploadKind, fetch_upload, unpack_single_zip
from roster_etl.store.settings import Settings
from roster_etl.vendors import discover_vendors

_LEAST = 0.5  # the share of an upload's headers that a format must know, at least
_NEAR = 0.95  # formats that fit nearly as well as the best one are in doubt as well


def fitting_formats(path: str, settings: Settings) -> list[str]:
    """Return the formats that fit the upload at `path`, best first: one if it is clear, several if it is not, none if none fits.

    Raises: as ``fetch_upload``.
    """
    with TemporaryDirectory(prefix="roster_etl_") as folder:
        scratch = Path(folder)
        fetched = fetch_upload(path, settings, scratch, select=_tables)
        files = unpack_single_zip(fetched, settings, scratch, _tables).files
        headers = [(file.name, read_header(file.read())) for file in files if is_csv(file.name)]
    readable = [(name, header) for name, header in headers if isinstance(header, tuple) and header]
    formats = [vendor.format for vendor in discover_vendors().values()]
    fits = sorted(((_fit(format_, readable), format_.name) for format_ in formats), reverse=True)
    best = fits[0][0]
    return [name for fit, name in fits if fit >= _LEAST and fit >= best * _NEAR]


def _tables(kind: UploadKind, entries: Sequence[Entry]) -> Selection:
    """Select the CSV files; if there is none, the zips."""
    regular = [entry for entry in entries if entry.regular]
    tables = [entry for entry in regular if is_csv(entry.name)]
    return Selection(read=tuple(tables or [entry for entry in regular if entry.name.casefold().endswith(".zip")]))


def _fit(format_: Format, headers: Sequence[tuple[str, tuple[str, ...]]]) -> float:
    """Return how well the upload's headers are those of `format_`: 0 not at all, 1 wholly."""
    return sum(_fit_of_file(format_, name, header) for name, header in headers) / max(1, len(headers))


def _fit_of_file(format_: Format, name: str, header: tuple[str, ...]) -> float:
    """Return the share of the header's columns that the format has, times the share of its required columns that the header has."""
    file = _file_of(format_, name, header)
    if file is None:
        return 0.0
    known = match_header(header, file).positions
    required = [column.name for column in file.columns if column.required]
    present = sum(column in known for column in required)
    return len(known) / len(header) * (present / len(required) if required else 1.0)


def _file_of(format_: Format, name: str, header: tuple[str, ...]) -> File | None:
    """Return the file of `format_` that has this name, or these headers if the format tells its files so."""
    if format_.identify_by == "headers":
        kinds = kinds_of(format_, header)
        return kinds[0] if len(kinds) == 1 and isinstance(kinds[0], File) else None
    base = name.rpartition("/")[2].casefold()
    return next(
        (file for file in format_.files if base in {n.casefold() for n in (file.file_name, *file.misspelled_names)}), None
    )
