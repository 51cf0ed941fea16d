"""What rows of enrollments name: the user, the section and its course, the role, whom an observer observes.

Belongs here: finding them, a column at a time, and refusing rows whose names lead nowhere. Order of the checks: status, user,
section and course, role, associated user; the first that fails is the one that is reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.changes.change_findings import Refused
from roster_etl.engine.changes.change_rows import Read, Source
from roster_etl.engine.changes.state import BUILT_IN_BASES, State
from roster_etl.frames.arrow import flat
from roster_etl.mapping.change_plan import Roles, RowKind

COLUMNS: Mapping[str, pa.DataType] = {
    "course_id": pa.string(),
    "section_id": pa.string(),
    "user_id": pa.string(),
    "user_integration_id": pa.string(),
    "role": pa.string(),
    "role_id": pa.string(),
    "associated_user_id": pa.string(),
    "start_at": pa.timestamp("us", tz="UTC"),
    "end_at": pa.timestamp("us", tz="UTC"),
    "limit_section_privileges": pa.bool_(),
}
NAMED = ("course_id", "section_id", "user_id", "role", "associated_user_id")
NAMED_IN_PART = ("course_id", "section_id", "user_id")
ENDS = ("deleted", "deleted_last_completed")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Rows that apply, in their order, with what they name found: key columns, values, status, origin.

    ``present``: for each date column, which rows come from a file that has it; ``released``: retried rows that fit now.
    """

    columns: Mapping[str, pa.Array]
    status: pa.Array
    present: Mapping[str, np.ndarray]
    files: pa.Array
    numbers: pa.Array
    dropped: np.ndarray
    released: list[tuple[Source, int]] = field(default_factory=list)

    @property
    def size(self) -> int:
        """The number of rows."""
        return len(self.status)


class _Rows:
    """All rows of the kind that take part, in one order, and why some are refused."""

    def __init__(self, reads: list[Read]) -> None:
        taken = [pa.array(np.flatnonzero(read.taken)) for read in reads]
        sizes = [len(places) for places in taken]
        self.size, self.reads = sum(sizes), reads
        self.read = np.repeat(np.arange(len(reads)), sizes)
        self.place = np.concatenate([places.to_numpy() for places in taken])
        self.columns = {
            name: pa.concat_arrays([_column(read, name, kind).take(places) for read, places in zip(reads, taken, strict=True)])
            for name, kind in COLUMNS.items()
        }
        self.present = {name: np.repeat([name in read.columns for read in reads], sizes) for name in ("start_at", "end_at")}
        self.status = pa.concat_arrays([r.status.take(places) for r, places in zip(reads, taken, strict=True)])
        self.numbers = pa.concat_arrays([r.numbers.take(places) for r, places in zip(reads, taken, strict=True)])
        self.dropped = np.concatenate([r.dropped[places.to_numpy()] for r, places in zip(reads, taken, strict=True)])
        self.files = pa.array([read.source.file for read in reads], pa.string()).take(pa.array(self.read))
        self.why = np.full(self.size, -1, dtype=np.int16)
        self.reasons: list[tuple[Refused, str | None]] = []
        self.ends = true(pc.is_in(self.status, value_set=pa.array(ENDS)))
        self.idle = np.zeros(self.size, dtype=bool)  # they apply, and change nothing: what they end is gone already

    def refuse(self, mask: np.ndarray, code: str, about: str, message: str, table: str | None = None) -> None:
        """Refuse the rows of `mask` that are not refused yet; `table`: whose refused rows they may follow from."""
        hit = mask & (self.why < 0)
        if hit.any():
            self.why[hit] = len(self.reasons)
            self.reasons.append((Refused(code, message, about=about), table))


def wanted_rows(state: State, kind: RowKind) -> Wanted:
    """Find what the rows of enrollments name; refuse those that name what is not there."""
    rows = _Rows(state.reads[kind.name])
    rows.refuse(true(pc.is_null(rows.status)), "bad_status", "status", "Expected one of the statuses of the document.")
    user, loginless = _users(state, rows)
    course, section = _places(state, rows)
    role, base = _roles(state, rows)
    associated = _associated(state, rows, base)
    found = {"user_id": user, "course_id": course, "section_id": section, "role": role, "associated_user_id": associated}
    _report(state, kind, rows)
    _warn(state, kind, rows, loginless)
    chosen = (rows.why < 0) & ~rows.idle
    mask = pa.array(chosen)
    columns = {name: column.filter(mask) for name, column in (rows.columns | found).items()}
    state.named += [pa.table({name: columns[name] for name in NAMED}), *_named_in_part(state, rows, ~chosen)]
    return Wanted(
        columns=columns,
        status=rows.status.filter(mask),
        present={name: present[chosen] for name, present in rows.present.items()},
        files=rows.files.filter(mask),
        numbers=rows.numbers.filter(mask),
        dropped=rows.dropped[chosen],
        released=_released(rows),
    )


def bases(state: State) -> dict[str, str]:
    """Return role → the built-in role that it is based on."""
    custom = {name: base for name, base in (state.options.get("custom_roles") or {}).items() if base in BUILT_IN_BASES}
    return {base: base for base in BUILT_IN_BASES} | custom


def _named_in_part(state: State, rows: _Rows, others: np.ndarray) -> list[pa.Table]:
    """Return what rows that do not apply tell of the records that they are about: user, and section or course."""
    mask = pa.array(others)
    parts = [{name: rows.columns[name].filter(mask) for name in (*NAMED_IN_PART, "user_integration_id")}]
    for read in rows.reads:
        left = pa.array(~read.taken)
        parts.append({name: _column(read, name, pa.string()).filter(left) for name in parts[0]})
    tables = []
    for cells in parts:
        second = by_integration_id(state, cells.pop("user_integration_id"))
        ids = cells["user_id"]
        tables.append(pa.table(cells | {"user_id": pc.coalesce(second, live_persons(state, ids), ids)}))
    return tables


# ---- what the rows name


def _users(state: State, rows: _Rows) -> tuple[pa.Array, np.ndarray]:
    """Return the live person of each row, and which persons are enrolled by a login that is deleted."""
    users = state.table("users")
    by_second = pc.is_valid(rows.columns["user_integration_id"])
    ids, second = rows.columns["user_id"], rows.columns["user_integration_id"]
    by_past_login = pc.if_else(by_second, pa.scalar(None, pa.string()), _by_past_login(state, ids))
    person = pc.coalesce(pc.if_else(by_second, by_integration_id(state, second), live_persons(state, ids)), by_past_login)
    unknown = true(pc.is_null(person))
    dead = unknown & true(pc.and_not(pc.is_in(ids, value_set=users.dead_ids()), by_second))
    told = by_second.to_numpy(zero_copy_only=False)
    message = state.nobody("users")
    rows.refuse(unknown & ~dead & told, "unknown_reference", "user_integration_id", message, "users")
    rows.refuse(unknown & ~dead, "unknown_reference", "user_id", message, "users")
    rows.refuse(dead & ~rows.ends, "deleted_reference", "user_id", "The user is deleted, so nobody was enrolled.")
    rows.idle |= dead & rows.ends
    place = pc.index_in(ids, value_set=users.column("user_id"))
    loginless = pc.and_(pc.is_valid(place), pc.is_null(users.column("username").take(place)))
    loginless = pc.or_(loginless, pc.is_in(ids, value_set=_past_logins(state).column("login_user_id")))
    return person, true(loginless) & ~rows.ends & ~told


def live_persons(state: State, ids: pa.Array) -> pa.Array:
    """Return the live person that each id names, by the person's own id or by that of a further login; else null."""
    users, logins = state.table("users"), state.table("logins")
    own = pc.if_else(pc.is_in(ids, value_set=users.column("user_id")), ids, pa.scalar(None, pa.string()))
    if not logins.rows.num_rows:
        return own
    place = pc.index_in(ids, value_set=logins.column("login_user_id"))
    return pc.coalesce(own, logins.column("user_id").take(place))


def _by_past_login(state: State, ids: pa.Array) -> pa.Array:
    """Return the live person whose further login, deleted by now, each id names; else null."""
    past = _past_logins(state)
    if not past.num_rows:
        return pa.nulls(len(ids), pa.string())
    owner = past.column("user_id").take(pc.index_in(ids, value_set=past.column("login_user_id")))
    return live_persons(state, flat(owner))


def _past_logins(state: State) -> pa.Table:
    """Return the further logins that are deleted: their ids, and whose they were."""
    logins = state.table("logins")
    gone = logins.dead_ids()
    owners = [record.values["user_id"] if (record := logins.known(key)) else None for key in gone.to_pylist()]
    past = pa.table({"login_user_id": gone, "user_id": pa.array(owners, pa.string())})
    return past.filter(pc.invert(pc.is_in(gone, value_set=logins.column("login_user_id"))))


def by_integration_id(state: State, values: pa.Array) -> pa.Array:
    """Return the live person that each integration id names; else null."""
    found = pa.nulls(len(values), pa.string())
    if values.null_count == len(values):
        return found
    for name in ("users", "logins"):
        table = state.table(name)
        given = pc.drop_null(table.column("integration_id"))
        owner = table.column("user_id").filter(pc.is_valid(table.column("integration_id")))
        place = pc.if_else(pc.is_valid(values), pc.index_in(values, value_set=given), pa.scalar(None, pa.int32()))
        found = pc.coalesce(found, owner.take(place))
    return found


def _places(state: State, rows: _Rows) -> tuple[pa.Array, pa.Array]:
    """Return course and section of each row: a section's course is the one where it is now."""
    section, course = rows.columns["section_id"], rows.columns["course_id"]
    sections, courses = state.table("sections"), state.table("courses")
    place = pc.index_in(section, value_set=sections.column("section_id"))
    now, home = (sections.column(name).take(place) for name in ("course_id", "home_course_id"))
    named, missing = true(pc.is_valid(section)), true(pc.is_null(place))
    dead = named & missing & true(pc.is_in(section, value_set=sections.dead_ids()))
    rows.refuse(named & missing & ~dead, "unknown_reference", "section_id", state.nobody("sections"), "sections")
    rows.refuse(dead & ~rows.ends, "deleted_reference", "section_id", "The section is deleted.")
    rows.idle |= dead & rows.ends
    live, gone = courses.column("course_id"), courses.dead_ids()
    told = true(pc.is_valid(course))
    known = true(pc.or_(pc.is_in(course, value_set=live), pc.is_in(course, value_set=gone)))
    rows.refuse(told & ~known, "unknown_reference", "course_id", state.nobody("courses"), "courses")
    related = true(pc.or_(_same(course, now), _same(course, home)))
    rows.refuse(named & ~missing & told & ~related, "unrelated_section", "section_id", "The section is not in this course.")
    default = _default_sections(state, course, ~named & told)
    target = pc.coalesce(now, sections.column("course_id").take(default), course)
    away = ~true(pc.is_in(target, value_set=live))
    rows.refuse(away & ~rows.ends, "deleted_reference", "course_id", "The course is deleted.")
    rows.idle |= away & rows.ends
    return target, pc.coalesce(section, sections.column("section_id").take(default))


def _default_sections(state: State, course: pa.Array, alone: np.ndarray) -> pa.Array:
    """Return, for rows that name a course alone, the place of the section that stands for its default one.

    That is a section which cross-listing took out of the course, if the course has no section left, and no default section of
    its own either (one without an id, which is there as soon as somebody was enrolled in it); null elsewhere.
    """
    sections = state.table("sections")
    nothing = pa.nulls(len(course), pa.int64())
    away = pc.not_equal(sections.column("course_id"), sections.column("home_course_id"))
    if not pc.any(away).as_py() or not alone.any():
        return nothing
    enrollments = state.table("enrollments")
    own = [
        flat(rows.column("course_id")).filter(pc.is_null(flat(rows.column("section_id"))))
        for rows in (enrollments.rows, enrollments.past)
    ]
    own.append(sections.column("course_id"))
    places = pc.indices_nonzero(away).take(pc.sort_indices(sections.column("section_id").filter(away)))
    homes = sections.column("home_course_id").take(places)
    found = pc.if_else(pc.and_(pa.array(alone), pc.invert(pc.is_in(course, value_set=pa.concat_arrays(own)))), course, None)
    at = pc.if_else(pc.is_valid(found), pc.index_in(found, value_set=homes), None)
    return places.take(at).cast(pa.int64())


def _roles(state: State, rows: _Rows) -> tuple[pa.Array, np.ndarray]:
    """Return the role of each row, and which rows have one that observes."""
    known, roles = bases(state), state.plan.roles
    by_id = pc.is_valid(rows.columns["role_id"])
    names = _each(rows.columns["role"], lambda word: role_of(word, known, roles))
    ids = _each(rows.columns["role_id"], lambda word: word if word in known and word not in BUILT_IN_BASES else None)
    role = pc.if_else(by_id, ids, names)
    unknown, told = true(pc.is_null(role)), by_id.to_numpy(zero_copy_only=False)
    message = "Expected a role of the document, or one of the option custom_roles."
    rows.refuse(unknown & told, "unknown_role", "role_id", message)
    rows.refuse(unknown, "unknown_role", "role", message)
    return role, true(pc.equal(_each(role, known.get), "observer"))


def role_of(word: str, known: Mapping[str, str], roles: Roles) -> str | None:
    """Return the role that a word of a file means; None: none."""
    if word in known and word not in BUILT_IN_BASES:
        return word
    return roles.by_name.get(word) or roles.built_in.get(word.strip().lower())


def _associated(state: State, rows: _Rows, observes: np.ndarray) -> pa.Array:
    """Return whom the observer of each row observes; other roles observe nobody."""
    given = pc.if_else(pa.array(observes), rows.columns["associated_user_id"], pa.scalar(None, pa.string()))
    person = live_persons(state, given)
    unknown = true(pc.and_(pc.is_valid(given), pc.is_null(person)))
    dead = unknown & true(pc.is_in(given, value_set=state.table("users").dead_ids()))
    message = state.nobody("users")
    rows.refuse(unknown & ~dead, "unknown_reference", "associated_user_id", message, "users")
    rows.refuse(dead & ~rows.ends, "deleted_reference", "associated_user_id", "The user is deleted.")
    rows.idle |= dead & rows.ends
    return person


# ---- what is said about them


def _report(state: State, kind: RowKind, rows: _Rows) -> None:
    for number, (why, table) in enumerate(rows.reasons):
        for source, at in _by_source(rows, rows.why == number):
            names = rows.columns[str(why.about)].take(pa.array(at)).to_pylist() if table else []
            causes = [state.notes.cause_of(table, name) for name in names] if table else [None] * len(at)
            state.notes.refuse_rows(kind, source, rows.place[at], rows.numbers.take(pa.array(at)).to_pylist(), why, causes)


def _by_source(rows: _Rows, mask: np.ndarray) -> Iterator[tuple[Source, np.ndarray]]:
    """Yield each source with the rows of `mask` that are its own."""
    at = np.flatnonzero(mask)
    for number, read in enumerate(rows.reads):
        own = at[rows.read[at] == number]
        if len(own):
            yield read.source, own


def _warn(state: State, kind: RowKind, rows: _Rows, loginless: np.ndarray) -> None:
    start, end = (pc.is_valid(rows.columns[name]) for name in ("start_at", "end_at"))
    applied = (rows.why < 0) & ~rows.idle & ~rows.ends
    half = true(pc.xor(start, end)) & applied
    _each_row(
        state,
        kind,
        rows,
        half,
        "bad_date",
        "start_at",
        "Dates of an enrollment count as a pair; one is missing, so none was kept.",
    )
    message = "The login is deleted; the user was enrolled, since another login is live."
    _each_row(state, kind, rows, loginless & applied, "deleted_reference", "user_id", message)


def _each_row(state: State, kind: RowKind, rows: _Rows, mask: np.ndarray, code: str, about: str, message: str) -> None:  # noqa: PLR0917
    for source, at in _by_source(rows, mask):
        numbers = rows.numbers.take(pa.array(at)).to_pylist()
        state.notes.warn_rows(kind, source, rows.place[at], numbers, code, message, about)


def _released(rows: _Rows) -> list[tuple[Source, int]]:
    retried = (
        np.array([read.source.retried for read in rows.reads], dtype=bool)[rows.read] if rows.size else np.zeros(0, dtype=bool)
    )
    fits = np.flatnonzero(retried & (rows.why < 0))
    return [(rows.reads[rows.read[at]].source, rows.numbers[at].as_py()) for at in fits]


def _column(read: Read, name: str, kind: pa.DataType) -> pa.Array:
    found = read.columns.get(name)
    return pa.nulls(len(read.taken), kind) if found is None else found.cast(kind)


def _same(one: pa.Array, other: pa.Array) -> pa.Array:
    return pc.fill_null(pc.equal(one, other), fill_value=False)


def _each(words: pa.Array, function: object) -> pa.Array:
    encoded = words.dictionary_encode()
    meant = [function(word) for word in encoded.dictionary.to_pylist()]  # type: ignore[operator]
    return pa.array(meant, pa.string()).take(encoded.indices)


def true(flags: pa.Array) -> np.ndarray:
    """Return `flags` as a mask, null as false."""
    return pc.fill_null(flags, fill_value=False).to_numpy(zero_copy_only=False)
