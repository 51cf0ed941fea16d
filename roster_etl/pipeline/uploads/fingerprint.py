"""Compute the fingerprints that decide whether an upload would be processed as before: content, settings and code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from roster_etl.pipeline.uploads.upload import Member, Upload
from roster_etl.spec import Format
from roster_etl.spec.options import options_of, resolve_options, timing_option_names
from roster_etl.store.registry.district import District, Feed, Window
from roster_etl.vendors import Vendor, vendor


def option_texts(
    format_: Format, district: District, feed: Feed, import_options: Mapping[str, str], windows: Sequence[Window] = ()
) -> dict[str, str]:
    """Return the text of every option, by precedence: this import, calendar, feed, the district's time zone, default.

    Raises: UnknownOption, BadOption.
    """
    layers = ({"time_zone": district.time_zone}, feed.options, *(window.options for window in windows), import_options)
    resolve_options(format_, *layers)
    texts = {name: option.default for name, option in options_of(format_).items()}
    for layer in layers:
        texts.update(layer)
    return texts


def settings_digest(vendor_: Vendor, texts: Mapping[str, str], feed: Feed) -> str:
    """Return a hash of everything besides the bytes that determines the result of an upload."""
    arrival = timing_option_names(vendor_.format)
    settings = {
        "options": {name: text for name, text in sorted(texts.items()) if name not in arrival},
        "gates": sorted(repr(gate) for gate in feed.gates),
        "replacements": {column: dict(codes) for column, codes in feed.replacements.items()},
        "code": _code_digest(vendor_.package),
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


@cache
def _code_digest(package: str) -> str:
    """Return a hash of the code of `package`: with a corrected spec, mapping or rule the same bytes are a new import."""
    root = Path(str(files("roster_etl")))
    folders = (
        vendor(package.rpartition(".")[2]).folder(),
        *(root / name for name in ("spec", "frames", "mapping", "engine", "canonical")),
    )
    digest = hashlib.sha256()
    for folder in folders:
        for file in sorted(folder.rglob("*.py")):
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def content_digest(upload: Upload, members: Sequence[Member]) -> str:
    """Return the hash of an upload's content: its bytes, and for events the day of arrival, which rows without a date get.

    A rejected file counts, so that it is reported again with the next upload.
    """
    used = [member for member in members if member.kind or member.refused]
    lines = [f"{m.kind or m.refused} {m.sha256}" for m in sorted(used, key=lambda m: (m.kind or m.refused or "", m.name))]
    if upload.format.mode == "events":
        lines.append(f"received on {upload.received_on.isoformat()}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
