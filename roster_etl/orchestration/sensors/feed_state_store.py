"""Per-feed sensor state in Dagster's key-value storage; too large for the cursor.

A cursor is written with every tick and stored with every tick's record: for 1,000 feeds that would be gigabytes a day.
"""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Mapping
from typing import Protocol

import dagster as dg

BUCKET_COUNT = 64  # a change writes one bucket; a tick reads all in one query
_KEY_TEMPLATE = "roster_etl/landing_zone/{}"


class FeedStateStore(Protocol):
    """The interface of the per-feed store. State is written even if the tick is later repeated or lost."""

    def load(self) -> dict[str, str]:
        """Return every feed's text."""

    def save(self, texts: Mapping[str, str]) -> None:
        """Replace the stored texts by `texts`; unchanged ones are not written."""


class InstanceFeedStateStore:
    """A store in the key-value table of a Dagster instance's storage, which Dagster's daemons use as well."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._storage = instance.daemon_cursor_storage
        self._stored: Mapping[str, str] | None = None

    def load(self) -> dict[str, str]:
        """Return every feed's text."""
        texts: dict[str, str] = {}
        for bucket in self._read().values():
            texts.update(json.loads(bucket))
        return texts

    def save(self, texts: Mapping[str, str]) -> None:
        """Replace the stored texts by `texts`; only changed buckets are written, in one statement."""
        known = self._read() if self._stored is None else self._stored
        parts: dict[str, dict[str, str]] = defaultdict(dict)
        for key in sorted(texts):
            parts[_bucket_key(key)][key] = texts[key]
        written = {name: json.dumps(parts.get(name, {}), separators=(",", ":")) for name in {*parts, *known}}
        changed = {name: text for name, text in written.items() if known.get(name) != text}
        if changed:
            self._storage.set_cursor_values(changed)
        self._stored = {**known, **changed}

    def _read(self) -> Mapping[str, str]:
        self._stored = self._storage.get_cursor_values({_KEY_TEMPLATE.format(number) for number in range(BUCKET_COUNT)})
        return self._stored


def _bucket_key(key: str) -> str:
    return _KEY_TEMPLATE.format(zlib.crc32(key.encode()) % BUCKET_COUNT)
