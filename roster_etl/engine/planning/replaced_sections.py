"""Find sections that take the place of others under known ids: their ids, or all their students, were exchanged or slipped by a row.

Belongs here: the comparison. ``pipeline.steps.replaced_sections`` reads the sections and reports them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

import pyarrow as pa

from roster_etl.frames.arrow import combine_chunks
from roster_etl.frames.folded_text import folded_text
from roster_etl.frames.row_hashes import key_text

IDENTITY = ("course_id", "organization_id", "term_id", "name", "number", "period")
"""What tells a section from others: only all of it together."""
MIN_STUDENTS = 3
"""Fewer students may change places by chance, or because they wanted to."""


def exchanged_sections(before: pa.Table, after: pa.Table) -> pa.Table:
    """Return the rows of `after` whose IDENTITY is now that of exactly one other section of `before`, which has another one now, too.

    Args: before, after: ``section_id`` and IDENTITY of sections that change, in any order.
    """
    known = dict(zip(before.column("section_id").to_pylist(), _identities(before), strict=True))
    counts = Counter(known.values())
    told = zip(after.column("section_id").to_pylist(), _identities(after), strict=True)
    now = {section: identity for section, identity in told if known.get(section, identity) != identity}
    elsewhere = {known[section] for section in now if counts[known[section]] == 1}
    return after.filter(pa.array([now.get(one) in elsewhere for one in after.column("section_id").to_pylist()], pa.bool_()))


def exchanged_classes(
    before: Mapping[str, frozenset[str]], after: Mapping[str, frozenset[str]], losing: Collection[str]
) -> set[str]:
    """Return the sections that now get exactly the students whom exactly one other section loses, and lose some themselves.

    Args: before, after: section → the students whom it loses, and gets, where they are MIN_STUDENTS or more.
        losing: all sections that lose any.
    """
    counts = Counter(before.values())
    had = {students: section for section, students in before.items() if counts[students] == 1}
    return {
        section
        for section, students in after.items()
        if len(students) >= MIN_STUDENTS and had.get(students, section) != section and section in losing
    }


def _identities(sections: pa.Table) -> list[str]:
    cells = {name: folded_text(combine_chunks(sections.column(name)).cast(pa.string())) for name in IDENTITY}
    return list(key_text(pa.table(cells), IDENTITY).to_pylist())
