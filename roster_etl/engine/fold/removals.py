"""Removals by term: what an earlier upload brought and this one does not name goes, where the district asks for it."""

from __future__ import annotations

from roster_etl.engine.fold.state import State


def remove_unnamed(state: State, *, supplied: frozenset[str], refused_files: bool) -> None:
    """Remove what this upload does not name."""
