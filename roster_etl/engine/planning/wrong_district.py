"""Whose upload is this? Told from the people who would go and those who would come.

Belongs here: when so many people go that it is no change of a roster, and whether those who come are the same under other ids.
Grain of every table here: one row a person. What follows from it is decided in ``pipeline.steps.plan``.
"""

from __future__ import annotations

from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.transform.mapper import key_text
from roster_etl.frames.arrow import flat

Likeness = Literal["another_district", "renumbered"]

MANY = 20
"""Fewer people who go are too few to tell anything from."""
FEW_IN_COMMON = 0.1
"""The share of known people whose ids an upload has at least, unless it is somebody else's."""
SAME_PEOPLE = 0.5
"""The share of those who go that are found among those who come, if their ids were changed."""

_BY_BIRTH = ("user_kind", "first_name", "last_name", "birth_date")
_BY_MAIL = ("user_kind", "email")


def likeness(gone: pa.Table, come: pa.Table, *, current: int) -> Likeness | None:
    """Return what an upload looks like, if it does not look like the district's own; None: nothing speaks against it.

    Args: gone, come: user_kind, first_name, last_name, email, birth_date of those who would go, and come; current: people known.
    """
    if gone.num_rows < MANY or come.num_rows < MANY:
        return None
    if same_people(gone, come) >= SAME_PEOPLE * gone.num_rows:
        return "renumbered"
    in_common = current - gone.num_rows
    return "another_district" if in_common < FEW_IN_COMMON * current else None


def same_people(gone: pa.Table, come: pa.Table) -> int:
    """Return how many of `gone` are among `come`: the same names and date of birth, or the same e-mail address; case does not count."""
    found = pc.or_(*(_found(gone, come, columns) for columns in (_BY_BIRTH, _BY_MAIL)))
    return int(pc.sum(found).as_py() or 0)


def _found(gone: pa.Table, come: pa.Table, columns: tuple[str, ...]) -> pa.Array:
    known = key_text(_folded(come.filter(_complete(come, columns)), columns), columns)
    return pc.and_(pc.is_in(key_text(_folded(gone, columns), columns), value_set=known), _complete(gone, columns))


def _complete(people: pa.Table, columns: tuple[str, ...]) -> pa.Array:
    complete = pc.is_valid(flat(people.column(columns[0])))
    for name in columns[1:]:
        complete = pc.and_(complete, pc.is_valid(flat(people.column(name))))
    return complete


def _folded(people: pa.Table, columns: tuple[str, ...]) -> pa.Table:
    return pa.table({name: pc.utf8_lower(flat(people.column(name)).cast(pa.string())) for name in columns})
