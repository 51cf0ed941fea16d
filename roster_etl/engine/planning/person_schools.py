"""Count updates of people, their profiles and contacts by the schools that the people belong to.

Belongs here: which schools a person belongs to, before and after the upload. These tables have no school column of their own, so one
school that is overwritten would vanish in a large district. The limits are in ``engine.planning.thresholds``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES
from roster_etl.frames.arrow import REFUSED, combine_chunks
from roster_etl.frames.row_hashes import key_text

PERSON = ("user_kind", "user_id")
PERSON_TABLES = tuple(
    name
    for name, table in TABLES.items()
    if table.school_column is None and set(PERSON) <= set(table.names) and not table.holds_events
)
"""Tables with one person a row, and no school of their own."""
_SCHOOL = "organization_id"
_MEMBERS = pa.schema([("person", pa.string()), ("school", pa.string()), ("role", pa.string())])


@dataclass(frozen=True, kw_only=True)
class SchoolUpdates:
    """Updates of people of one school in a table, in records: ``counted`` of ``current`` change more than derived columns.

    ``role``: only people who have this role there, since a file of students is overwritten without that of the teachers; None: all.
    """

    school: str
    role: str | None
    counted: int
    current: int


@dataclass(frozen=True)
class PersonSchools:
    """The schools of people: those of their roles, else those of the courses that they are enrolled in.

    ``mapped``: the desired state by table; ``before``: versions of ``user_roles`` that it replaces or leaves out.
    """

    mapped: Mapping[str, pa.Table]
    before: pa.Table | None

    def updates_by_school(self, updated: pa.Table, current: pa.Table) -> tuple[SchoolUpdates, ...]:
        """Return the updates by school and role, and by school.

        Args: updated: the rows of the table that change; current: the rows or versions of all its current records. Both with PERSON.
        """
        # Where all have roles, the enrollments, the largest table, need not be read.
        all_have_roles = pc.all(pc.is_in(key_text(updated, PERSON), value_set=combine_chunks(self._roles["person"]))).as_py()
        members = self._roles if all_have_roles else self._roles_or_courses
        counted = _count(members, updated)
        having = _count(members, current) if counted else {}
        return tuple(
            SchoolUpdates(school=place[0], role=place[1], counted=n, current=max(n, having.get(place, 0)))
            for place, n in counted.items()
        )

    @cached_property
    def _roles(self) -> pa.Table:
        return _with_any_role(_memberships(self.mapped.get("user_roles"), self.before))

    @cached_property
    def _roles_or_courses(self) -> pa.Table:
        enrolled = _memberships(self._enrollments())
        others = pc.invert(pc.is_in(enrolled["person"], value_set=combine_chunks(self._roles["person"])))
        return pa.concat_tables([self._roles, _with_any_role(enrolled.filter(others))]).combine_chunks()

    def _enrollments(self) -> pa.Table | None:
        """Return the enrollments with the school of their course where they have none of their own."""
        rows, courses = self.mapped.get("enrollments"), self.mapped.get("courses")
        if rows is None or courses is None:
            return rows
        place = pc.index_in(combine_chunks(rows.column("course_id")), value_set=combine_chunks(courses.column("course_id")))
        school = pc.coalesce(combine_chunks(rows.column(_SCHOOL)), combine_chunks(courses.column(_SCHOOL)).take(place))
        return rows.set_column(rows.schema.get_field_index(_SCHOOL), _SCHOOL, school)


def _count(members: pa.Table, records: pa.Table) -> dict[tuple[str, str | None], int]:
    """Return the number of `records` by school and role, and by school; a record counts for each school of its person."""
    people = pc.value_counts(key_text(records, PERSON))
    place = pc.index_in(members["person"], value_set=people.field("values"))
    found = members.append_column("records", people.field("counts").take(place)).filter(pc.is_valid(place))
    sums = found.group_by(["school", "role"], use_threads=False).aggregate([("records", "sum")]).to_pylist()
    return {(line["school"], line["role"]): line["records_sum"] for line in sums}


def _with_any_role(members: pa.Table) -> pa.Table:
    """Return `members` (``person``, ``school``, ``role``) with one more row a person and school, whose role is null: any role."""
    anyone = members.group_by(["person", "school"], use_threads=False).aggregate([])
    return pa.concat_tables([members, anyone.append_column("role", pa.nulls(anyone.num_rows, pa.string()))]).combine_chunks()


def _memberships(*tables: pa.Table | None) -> pa.Table:
    """Return the distinct people, schools and roles of `tables`, without refused rows."""
    parts = [_MEMBERS.empty_table()]
    for table in tables:
        if table is not None:
            rows = table.filter(pc.invert(table.column(REFUSED))) if REFUSED in table.column_names else table
            school, role = (combine_chunks(rows.column(name)).cast(pa.string()) for name in (_SCHOOL, "role"))
            parts.append(pa.table([key_text(rows, PERSON), school, role], schema=_MEMBERS))
    found = pa.concat_tables(parts)
    return found.filter(pc.is_valid(found["school"])).group_by(_MEMBERS.names, use_threads=False).aggregate([])


def current_people(mapped: pa.Table, opens: np.ndarray, *versions: pa.Table) -> pa.Table:
    """Return PERSON of all current records: accepted rows of `mapped` that need not open, and `versions` that differ."""
    accepted = ~combine_chunks(mapped.column(REFUSED)).to_numpy(zero_copy_only=False)
    accepted[opens] = False
    return people_of(mapped.select(PERSON).filter(pa.array(accepted)), *versions)


def people_of(*tables: pa.Table) -> pa.Table:
    """Return PERSON of all rows of `tables`."""
    plain = pa.schema([(name, pa.string()) for name in PERSON])
    return pa.concat_tables([rows.select(PERSON).cast(plain) for rows in tables])
