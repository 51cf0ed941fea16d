"""Detect uploads of another district, and renumbered people, from the people that a plan would remove and add.

Grain of all tables: one row per person. ``pipeline.steps.plan`` decides what follows.
"""

from __future__ import annotations

from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.frames.arrow import combine_chunks
from roster_etl.frames.row_hashes import key_text

ForeignUpload = Literal["another_district", "renumbered"]

MIN_PEOPLE = 20
"""Fewer removed or added people than this are too few for a conclusion."""
MIN_SHARE_IN_COMMON = 0.1
"""The share of known people whose IDs an upload must contain; with less, it counts as another district's."""
MIN_SHARE_RENUMBERED = 0.5
"""The share of removed people found among the added ones from which the IDs count as changed."""

_BY_BIRTH = ("user_kind", "first_name", "last_name", "birth_date")
_BY_MAIL = ("user_kind", "email")


def detect_foreign_upload(removed: pa.Table, added: pa.Table, *, current: int) -> ForeignUpload | None:
    """Return why an upload does not look like the district's own; None: nothing indicates that.

    Args: removed, added: user_kind, first_name, last_name, email, birth_date of people; current: the number of known people.
    """
    if removed.num_rows < MIN_PEOPLE or added.num_rows < MIN_PEOPLE:
        return None
    if count_same_people(removed, added) >= MIN_SHARE_RENUMBERED * removed.num_rows:
        return "renumbered"
    in_common = current - removed.num_rows
    return "another_district" if in_common < MIN_SHARE_IN_COMMON * current else None


def count_same_people(removed: pa.Table, added: pa.Table) -> int:
    """Return how many `removed` people are among `added`: equal names and birth date, or equal e-mail; case is ignored."""
    found = pc.or_(*(_is_same_person(removed, added, columns) for columns in (_BY_BIRTH, _BY_MAIL)))
    return int(pc.sum(found).as_py() or 0)


def _is_same_person(removed: pa.Table, added: pa.Table, columns: tuple[str, ...]) -> pa.Array:
    known = key_text(_lowercase_columns(added.filter(_has_all_values(added, columns)), columns), columns)
    return pc.and_(
        pc.is_in(key_text(_lowercase_columns(removed, columns), columns), value_set=known), _has_all_values(removed, columns)
    )


def _has_all_values(people: pa.Table, columns: tuple[str, ...]) -> pa.Array:
    complete = pc.is_valid(combine_chunks(people.column(columns[0])))
    for name in columns[1:]:
        complete = pc.and_(complete, pc.is_valid(combine_chunks(people.column(name))))
    return complete


def _lowercase_columns(people: pa.Table, columns: tuple[str, ...]) -> pa.Table:
    return pa.table({name: pc.utf8_lower(combine_chunks(people.column(name)).cast(pa.string())) for name in columns})
