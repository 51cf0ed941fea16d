"""What a person should do about an import: in words, and the command that does it.

Belongs here: the steps after each ending. What was found, and what to correct in a file, stands with the findings (``pipeline.causes``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing to do. ``command``: how, where a command does it."""

    text: str
    command: str = ""


def next_steps(document: Mapping[str, Any]) -> list[Step]:
    """Return what to do about the import of `document` (as ``pipeline.outcome`` gives it), the first thing first; none if nothing is."""
    steps = _STEPS.get(document["status"])
    return steps(document) if steps else []


def _held(document: Mapping[str, Any]) -> list[Step]:
    number = document["import_id"]
    if document["hold"] and document["hold"]["decision"]:
        return []
    return [
        Step(text="Look at what would change, and why it was stopped.", command=f"roster-etl holds show {number}"),
        Step(
            text="If the files are wrong: correct them at their source and upload them again. The new upload replaces this one."
        ),
        Step(text="If it is right as it is: publish exactly this plan.", command=f"roster-etl holds approve {number} --by NAME"),
        Step(text="If it should never be published: discard it.", command=f"roster-etl holds discard {number} --by NAME"),
    ]


def _rejected(document: Mapping[str, Any]) -> list[Step]:
    return [Step(text="Correct what the findings name, and upload all files again. Until then the roster stays as it was.")]


def _failed(document: Mapping[str, Any]) -> list[Step]:
    district, source = document["district_id"], document["source"]
    look = Step(text="Find out what is wrong here.", command=f"roster-etl doctor --district {district}")
    if not any(file["kind"] for file in document["files"]):
        if document.get("parked"):
            again = f"roster-etl backfill --district {district} --format {source}"
            return [look, Step(text="It is not tried again by itself. Once this is mended, try once more.", command=again)]
        return [look, Step(text="What lies in the landing zone is imported once this is mended; nothing was taken from there.")]
    again = f"roster-etl rerun --district {district} --format {source} --import {document['import_id']}"
    return [look, Step(text="Once it is mended, run the same upload again; a newer upload does as well.", command=again)]


def _published(document: Mapping[str, Any]) -> list[Step]:
    rows = sum(file["rows_rejected"] or 0 for file in document["files"])
    if not rows:
        return []
    what = "1 row that was" if rows == 1 else f"{rows:,} rows that were"
    return [Step(text=f"Correct the {what} refused, at their source; each stands in {document['import_id']}.csv with its place.")]


_STEPS = {"held": _held, "rejected": _rejected, "failed": _failed, "published": _published}
