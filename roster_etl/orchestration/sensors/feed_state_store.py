"""What the sensor remembers of each feed, outside of its cursor.

Belongs here: keeping a text for each feed in Dagster's own storage, which every host shares. What the texts mean is the business of
``watch``. A cursor is written with every tick and kept with every tick's record: of 1,000 feeds that would be gigabytes a day.
"""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Mapping
from typing import Protocol

import dagster as dg

BUCKET_COUNT = 64  # a change writes one; a tick reads all in one query
_KEY_TEMPLATE = "roster_etl/landing_zone/{}"


class FeedStateStore(Protocol):
    """A text for each feed, kept between ticks. A tick may be repeated or lost: what is kept here has then been written all the same."""

    def load(self) -> dict[str, str]:
        """Return every feed's text."""

    def save(self, texts: Mapping[str, str]) -> None:
        """Keep `texts` and nothing else; what did not change costs nothing."""


class InstanceFeedStateStore:
    """A memory in the key-value table of a Dagster instance's storage, where Dagster's daemons keep theirs."""

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
        """Keep `texts`; only buckets that changed are written, in one statement."""
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
