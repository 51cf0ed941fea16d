"""Resolve the references of enrollment rows: user, section and course, role, and the observed user.

Order of the checks: status, user, section and course, role, associated user; the first that fails is reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.changes.awaited import NEXT
from roster_etl.engine.changes.change_findings import RowRejected
from roster_etl.engine.changes.change_rows import ChangeFile, ReadRows
from roster_etl.engine.changes.state import AMBIGUOUS_ID, BUILT_IN_BASES, State
from roster_etl.frames.arrow import combine_chunks
from roster_etl.frames.similar_ids import SIMILAR, is_similar
from roster_etl.mapping.change_plan import RoleNames, RowKind

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
FULL_KEY = ("course_id", "section_id", "user_id", "role", "associated_user_id")
PARTIAL_KEY = ("course_id", "section_id", "user_id")
END_STATUSES = ("deleted", "deleted_last_completed")


@dataclass(frozen=True, kw_only=True)
class EnrollmentRows:
    """Rows to apply, in order, with resolved references: key columns, values, status, origin.

    ``present``: for each date column, which rows come from a file that has it; ``released``: retried rows that now apply.
    """

    columns: Mapping[str, pa.Array]
    status: pa.Array
    present: Mapping[str, np.ndarray]
    files: pa.Array
    numbers: pa.Array
    dropped: np.ndarray
    released: list[tuple[ChangeFile, int]] = field(default_factory=list)

    @property
    def row_count(self) -> int:
        """The number of rows."""
        return len(self.status)


class _CandidateRows:
    """All rows of the kind to apply, in one order, and why some are rejected."""

    def __init__(self, reads: list[ReadRows]) -> None:
        taken = [pa.array(np.flatnonzero(read.applies)) for read in reads]
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
        self.reasons: list[tuple[RowRejected, str | None]] = []
        self.ends = to_mask(pc.is_in(self.status, value_set=pa.array(END_STATUSES)))
        self.retried = np.array([read.source.is_retried for read in reads], dtype=bool)[self.read]
        self.idle = np.zeros(self.size, dtype=bool)  # they apply without effect: what they end has ended already
        self.awaited: list[
            tuple[str, str, pa.Array]
        ] = []  # table, column, and its value that a row depends on besides its own cells
        self.unsettled = np.zeros(self.size, dtype=bool)  # rows whose section is not named by anything that could be waited for

    def reject(self, mask: np.ndarray, code: str, about: str, message: str, table: str | None = None) -> None:
        """Reject the rows of `mask` that are not rejected yet; `table`: whose rejected rows may be the cause."""
        hit = mask & (self.why < 0)
        if hit.any():
            self.why[hit] = len(self.reasons)
            self.reasons.append((RowRejected(code, message, about=about), table))


def resolve_enrollment_rows(state: State, kind: RowKind) -> EnrollmentRows:
    """Resolve the references of enrollment rows; reject rows whose references do not exist."""
    rows = _CandidateRows(state.reads[kind.name])
    rows.reject(to_mask(pc.is_null(rows.status)), "bad_status", "status", "Expected one of the statuses of the document.")
    user, loginless = _resolve_users(state, rows)
    course, section = _resolve_sections(state, rows)
    role, base = _resolve_roles(state, rows)
    associated = _resolve_observed_users(state, rows, base)
    found = {"user_id": user, "course_id": course, "section_id": section, "role": role, "associated_user_id": associated}
    _report_refusals(state, kind, rows)
    _record_waits(state, rows)
    _report_warnings(state, kind, rows, loginless)
    chosen = (rows.why < 0) & ~rows.idle
    mask = pa.array(chosen)
    columns = {name: column.filter(mask) for name, column in (rows.columns | found).items()}
    own = pa.array(~rows.retried[chosen])
    stated = pa.table({name: columns[name].filter(own) for name in FULL_KEY})
    state.stated_enrollments += [stated, *_partial_keys(state, rows, ~chosen & ~rows.retried)]
    return EnrollmentRows(
        columns=columns,
        status=rows.status.filter(mask),
        present={name: present[chosen] for name, present in rows.present.items()},
        files=rows.files.filter(mask),
        numbers=rows.numbers.filter(mask),
        dropped=rows.dropped[chosen],
        released=_released_rows(rows),
    )


def base_roles(state: State) -> dict[str, str]:
    """Return role → the built-in role that it is based on."""
    custom = {name: base for name, base in (state.options.get("custom_roles") or {}).items() if base in BUILT_IN_BASES}
    return {base: base for base in BUILT_IN_BASES} | custom


def _partial_keys(state: State, candidates: _CandidateRows, others: np.ndarray) -> list[pa.Table]:
    """Return the known key parts of rows that are not applied: user, and section or course."""
    mask = pa.array(others)
    parts = [{name: candidates.columns[name].filter(mask) for name in (*PARTIAL_KEY, "user_integration_id")}]
    for read in (read for read in candidates.reads if not read.source.is_retried):
        left = pa.array(~read.applies)
        parts.append({name: _column(read, name, pa.string()).filter(left) for name in parts[0]})
    # All at once: a look-up for each read would cost all people.
    every = pa.concat_tables([pa.table(cells) for cells in parts])
    cells = {name: combine_chunks(every.column(name)) for name in every.column_names}
    second, ids = person_by_integration_id(state, cells.pop("user_integration_id")), cells["user_id"]
    return [pa.table(cells | {"user_id": pc.coalesce(second, live_person_ids(state, ids), ids)})]


def _resolve_users(state: State, candidates: _CandidateRows) -> tuple[pa.Array, np.ndarray]:
    """Return the live person of each row, and which persons are enrolled by a deleted login."""
    users = state.table("users")
    by_second = pc.is_valid(candidates.columns["user_integration_id"])
    ids, second = candidates.columns["user_id"], candidates.columns["user_integration_id"]
    owner, by_past_login = (
        pc.if_else(by_second, pa.scalar(None, pa.string()), found) for found in _person_by_past_login(state, ids)
    )
    candidates.awaited.append(("users", "user_id", owner))
    person = pc.coalesce(
        pc.if_else(by_second, person_by_integration_id(state, second), live_person_ids(state, ids)), by_past_login
    )
    unknown = to_mask(pc.is_null(person))
    dead = unknown & to_mask(pc.and_not(pc.is_in(ids, value_set=users.deleted_ids()), by_second))
    has_second_id = by_second.to_numpy(zero_copy_only=False)
    message = state.unknown_id_message("users")
    candidates.reject(unknown & ~dead & has_second_id, "unknown_reference", "user_integration_id", message, "users")
    _reject_unknown(state, candidates, unknown & ~dead, "user_id", "users", ids)
    candidates.reject(dead & ~candidates.ends, "deleted_reference", "user_id", "The user is deleted, so nobody was enrolled.")
    candidates.idle |= dead & candidates.ends
    _reject_shared_ids(state, candidates, "users", ids, "user_id", ~has_second_id)
    place = pc.index_in(ids, value_set=users.column("user_id"))
    loginless = pc.and_(pc.is_valid(place), pc.is_null(users.column("username").take(place)))
    loginless = pc.or_(loginless, pc.is_in(ids, value_set=_deleted_logins(state).column("login_user_id")))
    return person, to_mask(loginless) & ~candidates.ends & ~has_second_id


def live_person_ids(state: State, ids: pa.Array) -> pa.Array:
    """Return the live person for each id, which is the person's own or that of a further login; else null."""
    users, logins = state.table("users"), state.table("logins")
    own = pc.if_else(pc.is_in(ids, value_set=users.column("user_id")), ids, pa.scalar(None, pa.string()))
    if not logins.rows.num_rows:
        return own
    place = pc.index_in(ids, value_set=logins.column("login_user_id"))
    return pc.coalesce(own, logins.column("user_id").take(place))


def _person_by_past_login(state: State, ids: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return the person whose deleted further login each id is, and the same if the person is live; else null."""
    past = _deleted_logins(state)
    if not past.num_rows:
        return pa.nulls(len(ids), pa.string()), pa.nulls(len(ids), pa.string())
    owner = combine_chunks(past.column("user_id").take(pc.index_in(ids, value_set=past.column("login_user_id"))))
    return owner, live_person_ids(state, owner)


def _deleted_logins(state: State) -> pa.Table:
    """Return the deleted further logins: their ids, and their persons."""
    logins = state.table("logins")
    gone = logins.deleted_ids()
    owners = [record.values["user_id"] if (record := logins.find(key)) else None for key in gone.to_pylist()]
    past = pa.table({"login_user_id": gone, "user_id": pa.array(owners, pa.string())})
    return past.filter(pc.invert(pc.is_in(gone, value_set=logins.column("login_user_id"))))


def person_by_integration_id(state: State, values: pa.Array) -> pa.Array:
    """Return the live person with each integration id; else null."""
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


def _reject_unknown(state: State, candidates: _CandidateRows, rows: np.ndarray, about: str, table: str, ids: pa.Array) -> None:
    """Reject `rows`, whose `ids` no record of `table` has; where an id differs only by zeros or case from a known one, say so."""
    if not rows.any():
        return
    message = state.unknown_id_message(table)
    alike = rows & to_mask(is_similar(ids, state.table(table).column(state.table(table).key[0])))
    candidates.reject(alike, "unknown_reference", about, f"{message} {SIMILAR}", table)
    candidates.reject(rows, "unknown_reference", about, message, table)


def _resolve_sections(state: State, candidates: _CandidateRows) -> tuple[pa.Array, pa.Array]:
    """Return course and section of each row: a section's course is its current one."""
    section, course = candidates.columns["section_id"], candidates.columns["course_id"]
    sections, courses = state.table("sections"), state.table("courses")
    place = pc.index_in(section, value_set=sections.column("section_id"))
    now, home = (sections.column(name).take(place) for name in ("course_id", "home_course_id"))
    named, missing = to_mask(pc.is_valid(section)), to_mask(pc.is_null(place))
    dead = named & missing & to_mask(pc.is_in(section, value_set=sections.deleted_ids()))
    _reject_unknown(state, candidates, named & missing & ~dead, "section_id", "sections", section)
    candidates.reject(dead & ~candidates.ends, "deleted_reference", "section_id", "The section is deleted.")
    candidates.idle |= dead & candidates.ends
    live, gone = courses.column("course_id"), courses.deleted_ids()
    has_course = to_mask(pc.is_valid(course))
    known = to_mask(pc.or_(pc.is_in(course, value_set=live), pc.is_in(course, value_set=gone)))
    _reject_unknown(state, candidates, has_course & ~known, "course_id", "courses", course)
    related = to_mask(pc.or_(_is_equal(course, now), _is_equal(course, home)))
    candidates.reject(
        named & ~missing & has_course & ~related, "unrelated_section", "section_id", "The section is not in this course."
    )
    _reject_shared_ids(state, candidates, "sections", section, "section_id", ~has_course)
    _reject_shared_ids(state, candidates, "courses", course, "course_id", ~named & has_course)
    default = _default_section_positions(state, course, ~named & has_course)
    target = pc.coalesce(now, sections.column("course_id").take(default), course)
    candidates.awaited.append(("courses", "course_id", target))
    candidates.awaited.append(("sections", "home_course_id", pc.if_else(pa.array(~named), course, None)))
    candidates.unsettled = to_mask(pc.is_valid(default))
    away = ~to_mask(pc.is_in(target, value_set=live))
    candidates.reject(away & ~candidates.ends, "deleted_reference", "course_id", "The course is deleted.")
    candidates.idle |= away & candidates.ends
    return target, pc.coalesce(section, sections.column("section_id").take(default))


def _default_section_positions(state: State, course: pa.Array, course_only: np.ndarray) -> pa.Array:
    """Return, for rows that name a course only, the position of the section that serves as its default one.

    That is a section which cross-listing took out of the course, if the course has no section left, and no default section of
    its own either (one without an id, which exists as soon as somebody was enrolled in it); null elsewhere.
    """
    sections = state.table("sections")
    nothing = pa.nulls(len(course), pa.int64())
    away = pc.not_equal(sections.column("course_id"), sections.column("home_course_id"))
    if not pc.any(away).as_py() or not course_only.any():
        return nothing
    enrollments = state.table("enrollments")
    own = [
        combine_chunks(rows.column("course_id")).filter(pc.is_null(combine_chunks(rows.column("section_id"))))
        for rows in (enrollments.rows, enrollments.past)
    ]
    own.append(sections.column("course_id"))
    places = pc.indices_nonzero(away).take(pc.sort_indices(sections.column("section_id").filter(away)))
    homes = sections.column("home_course_id").take(places)
    found = pc.if_else(pc.and_(pa.array(course_only), pc.invert(pc.is_in(course, value_set=pa.concat_arrays(own)))), course, None)
    at = pc.if_else(pc.is_valid(found), pc.index_in(found, value_set=homes), None)
    return places.take(at).cast(pa.int64())


def _resolve_roles(state: State, candidates: _CandidateRows) -> tuple[pa.Array, np.ndarray]:
    """Return the role of each row, and which rows have an observer role."""
    known, roles = base_roles(state), state.plan.roles
    by_id = pc.is_valid(candidates.columns["role_id"])
    names = _map_distinct(candidates.columns["role"], lambda word: parse_role(word, known, roles))
    ids = _map_distinct(
        candidates.columns["role_id"], lambda word: word if word in known and word not in BUILT_IN_BASES else None
    )
    role = pc.if_else(by_id, ids, names)
    unknown, has_role_id = to_mask(pc.is_null(role)), by_id.to_numpy(zero_copy_only=False)
    message = "Expected a role of the document, or one of the option custom_roles."
    candidates.reject(unknown & has_role_id, "unknown_role", "role_id", message)
    candidates.reject(unknown, "unknown_role", "role", message)
    return role, to_mask(pc.equal(_map_distinct(role, known.get), "observer"))


def parse_role(text: str, known_roles: Mapping[str, str], roles: RoleNames) -> str | None:
    """Return the role for a text of a file; None: unknown."""
    if text in known_roles and text not in BUILT_IN_BASES:
        return text
    return roles.by_name.get(text) or roles.built_in.get(text.strip().lower())


def _resolve_observed_users(state: State, candidates: _CandidateRows, observes: np.ndarray) -> pa.Array:
    """Return the observed user of each observer's row; null for other roles."""
    given = pc.if_else(pa.array(observes), candidates.columns["associated_user_id"], pa.scalar(None, pa.string()))
    person = live_person_ids(state, given)
    unknown = to_mask(pc.and_(pc.is_valid(given), pc.is_null(person)))
    dead = unknown & to_mask(pc.is_in(given, value_set=state.table("users").deleted_ids()))
    _reject_unknown(state, candidates, unknown & ~dead, "associated_user_id", "users", given)
    candidates.reject(dead & ~candidates.ends, "deleted_reference", "associated_user_id", "The user is deleted.")
    candidates.idle |= dead & candidates.ends
    _reject_shared_ids(state, candidates, "users", given, "associated_user_id", observes)
    return person


def _reject_shared_ids(
    state: State, candidates: _CandidateRows, table: str, ids: pa.Array, about: str, asked: np.ndarray
) -> None:
    """Reject the rows of `asked` that begin something for an id which rows of `table` give to different records."""
    for is_retried in (False, True):
        shared = [id_ for found in state.shared_by(table, is_retried=is_retried) for id_ in found]
        if shared:
            named = to_mask(pc.is_in(ids, value_set=pa.array(shared, pa.string())))
            own = candidates.retried if is_retried else ~candidates.retried
            candidates.reject(named & own & asked & ~candidates.ends, "unknown_reference", about, AMBIGUOUS_ID, table)


def _report_refusals(state: State, kind: RowKind, candidates: _CandidateRows) -> None:
    for number, (why, table) in enumerate(candidates.reasons):
        for source, at in _by_source(candidates, candidates.why == number):
            names = candidates.columns[str(why.about)].take(pa.array(at)).to_pylist() if table else []
            causes = [state.log.cause_of(table, name) for name in names] if table else [None] * len(at)
            state.log.reject_rows(
                kind, source, candidates.place[at], candidates.numbers.take(pa.array(at)).to_pylist(), why, causes
            )


def _record_waits(state: State, candidates: _CandidateRows) -> None:
    """Record what the rejected rows depend on besides the records that their cells name."""
    rejected = np.flatnonzero(candidates.why >= 0)
    texts = [(at, NEXT) for at in rejected if candidates.unsettled[at]]
    for table, column, values in candidates.awaited if len(rejected) else ():
        named = zip(rejected, values.take(pa.array(rejected)).to_pylist(), strict=True)
        texts += [(at, f"{table}.{column}={value}") for at, value in named if value is not None]
    for at, text in texts:
        state.log.waits.add(candidates.reads[candidates.read[at]].source, [candidates.place[at]], [text])


def _by_source(candidates: _CandidateRows, mask: np.ndarray) -> Iterator[tuple[ChangeFile, np.ndarray]]:
    """Yield each source with its rows of `mask`."""
    at = np.flatnonzero(mask)
    for number, read in enumerate(candidates.reads):
        own = at[candidates.read[at] == number]
        if len(own):
            yield read.source, own


def _report_warnings(state: State, kind: RowKind, candidates: _CandidateRows, loginless: np.ndarray) -> None:
    start, end = (pc.is_valid(candidates.columns[name]) for name in ("start_at", "end_at"))
    applied = (candidates.why < 0) & ~candidates.idle & ~candidates.ends
    half = to_mask(pc.xor(start, end)) & applied
    _warn_rows(
        state,
        kind,
        candidates,
        half,
        "bad_date",
        "start_at",
        "Dates of an enrollment count as a pair; one is missing, so none was kept.",
    )
    message = "The login is deleted; the user was enrolled, since another login is live."
    _warn_rows(state, kind, candidates, loginless & applied, "deleted_reference", "user_id", message)


def _warn_rows(  # noqa: PLR0917
    state: State, kind: RowKind, candidates: _CandidateRows, mask: np.ndarray, code: str, about: str, message: str
) -> None:
    for source, at in _by_source(candidates, mask):
        numbers = candidates.numbers.take(pa.array(at)).to_pylist()
        state.log.warn_rows(kind, source, candidates.place[at], numbers, code, message, about)


def _released_rows(candidates: _CandidateRows) -> list[tuple[ChangeFile, int]]:
    fits = np.flatnonzero(candidates.retried & (candidates.why < 0))
    return [(candidates.reads[candidates.read[at]].source, candidates.numbers[at].as_py()) for at in fits]


def _column(read: ReadRows, name: str, kind: pa.DataType) -> pa.Array:
    found = read.columns.get(name)
    return pa.nulls(len(read.applies), kind) if found is None else found.cast(kind)


def _is_equal(one: pa.Array, other: pa.Array) -> pa.Array:
    return pc.fill_null(pc.equal(one, other), fill_value=False)


def _map_distinct(values: pa.Array, function: object) -> pa.Array:
    encoded = values.dictionary_encode()
    meant = [function(word) for word in encoded.dictionary.to_pylist()]  # type: ignore[operator]
    return pa.array(meant, pa.string()).take(encoded.indices)


def to_mask(flags: pa.Array) -> np.ndarray:
    """Return `flags` as a mask, null as false."""
    return pc.fill_null(flags, fill_value=False).to_numpy(zero_copy_only=False)
