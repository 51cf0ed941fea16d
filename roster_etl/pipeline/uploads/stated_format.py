"""Recognise the format of an upload that says it itself: by its manifest, in a folder or a zip.

Belongs here: that one look. Nothing is guessed from names or headers of other files. Does not belong here: reading the manifest of an
import (``stated_files``).
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from roster_etl.engine.csv.format_manifest import read_manifest
from roster_etl.engine.csv.reader import read_csv
from roster_etl.vendors import Vendor, discover_vendors

_MAX_BYTES = 1 << 20  # a manifest has some thirty lines


def stated_format(path: Path) -> str | None:
    """Return the format whose manifest lies at the root of the folder or zip `path`, and says a version; None: no manifest, or several formats'."""
    found = [vendor.format.name for vendor in discover_vendors().values() if _states_version(vendor, path)]
    return found[0] if len(found) == 1 else None


def _states_version(vendor: Vendor, path: Path) -> bool:
    facts = vendor.format.manifest
    if facts is None:
        return False
    content = _member(path, vendor.format.file(facts.file).file_name)
    return content is not None and read_manifest(read_csv(content), vendor.format, strict=False).version != ""


def _member(path: Path, name: str) -> bytes | None:
    """Return the first bytes of a file of a folder or a zip, whatever the case of its name; None: it is not there, or not readable."""
    try:
        if path.is_dir():
            files = [file for file in path.iterdir() if file.name.casefold() == name.casefold() and file.is_file()]
            if len(files) != 1:
                return None
            with files[0].open("rb") as opened:
                return opened.read(_MAX_BYTES)
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if info.filename.casefold() == name.casefold()]
            if len(members) != 1:
                return None
            with archive.open(members[0]) as packed:
                return packed.read(_MAX_BYTES)
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError):
        return None
