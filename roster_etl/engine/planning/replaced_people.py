"""Find people who take the place of others under known ids: somebody unknown, or somebody whom the roster has under another id.

Belongs here: the comparison. ``pipeline.steps.replaced_people`` reads the people and reports them; ``hold_policy`` says how many hold.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.frames.arrow import combine_chunks
from roster_etl.frames.folded_text import folded_text
from roster_etl.frames.row_hashes import key_text

KEY = ("user_kind", "user_id")
COMPARED = ("first_name", "last_name", "email")


@dataclass(frozen=True, kw_only=True)
class ReplacedPeople:
    """Rows of people who take the place of others.

    ``strangers``: no name, date of birth or e-mail address is that of the known person. ``moved``: all of them are those of somebody
    else whom the roster has under another id, and who is renamed as well (ids that were swapped, or that slipped by a row).
    """

    strangers: pa.Table
    moved: pa.Table


class _Person(NamedTuple):
    kind: str
    first: str | None
    last: str | None
    email: str | None
    born: datetime.date | None


def renamed_people(before: pa.Table, after: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the people of `before` and `after` (KEY, COMPARED) whose names differ, in one order."""
    at = pc.index_in(key_text(after, KEY), value_set=key_text(before, KEY))
    after, before = after.filter(pc.is_valid(at)), before.take(pc.drop_null(at))
    names = pc.equal(*(key_text(_folded(side), COMPARED[:2]) for side in (before, after)))
    return before.filter(pc.invert(names)), after.filter(pc.invert(names))


def replaced_people(before: pa.Table, after: pa.Table, born_before: pa.Table, born_after: pa.Table) -> ReplacedPeople:
    """Return which rows of `after` describe other people than `before` has under their ids.

    Args: before, after: as ``renamed_people`` returns them; born_before, born_after: KEY and birth_date of those who have one.
    """
    known, told = list(_people(before, born_before)), list(_people(after, born_after))
    elsewhere = set(known)
    moved = [one in elsewhere for one in told]
    strangers = [not there and _is_stranger(one, other) for one, other, there in zip(known, told, moved, strict=True)]
    return ReplacedPeople(
        strangers=after.filter(pa.array(strangers, pa.bool_())), moved=after.filter(pa.array(moved, pa.bool_()))
    )


def _folded(people: pa.Table) -> pa.Table:
    return pa.table({name: folded_text(combine_chunks(people.column(name)).cast(pa.string())) for name in COMPARED})


def _people(people: pa.Table, born: pa.Table) -> Iterator[_Person]:
    at = pc.index_in(key_text(people, KEY), value_set=key_text(born, KEY))
    cells = [people.column("user_kind"), *_folded(people).columns, combine_chunks(born.column("birth_date")).take(at)]
    return (_Person(*person) for person in zip(*(column.to_pylist() for column in cells), strict=True))


def _is_stranger(before: _Person, after: _Person) -> bool:
    """Return whether nothing is the same; a first name that became the last name is the same."""
    names, others = _words(before), _words(after)
    same = [before.email and before.email == after.email, before.born and before.born == after.born, names & others]
    return bool(names and others) and not any(same)


def _words(person: _Person) -> set[str]:
    return {word for name in (person.first, person.last) if name for word in name.split()}
