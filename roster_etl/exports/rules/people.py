"""Rules about people: who is a student, a teacher or staff, at which school, under which id."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.exports.arrays import (
    Array,
    Mask,
    Places,
    choose,
    column,
    compound,
    constant,
    equals,
    first_marks,
    is_in,
    keys_of,
    lookup,
    mask,
    nulls,
    present,
    with_columns,
)
from roster_etl.exports.export_tables import ROW, ExportTables
from roster_etl.exports.plan import Rule
from roster_etl.frames.arrow import rows_ascend
from roster_etl.spec.errors import RosterError

PARENT_ROLES = ("parent", "guardian", "relative")


class IdClash(RosterError):
    """Two people would have one id in the format."""

    code = "id_clash"
    template = "{count} ids would name two people in {format}; nothing was written. Decide with `--option user_ids=kinded`, where the format has it"


def with_role(work: ExportTables, *roles: str) -> Mask:
    """Return which users have one of `roles` at some organization."""
    rows = work.table("user_roles")
    return is_in(work.user_keys("users"), work.user_keys("user_roles").filter(pa.array(equals(column(rows, "role"), *roles))))


def enrolled_as(work: ExportTables, *roles: str) -> Mask:
    """Return which users have an enrollment in one of `roles`."""
    rows = work.table("enrollments")
    keys = work.user_keys("enrollments").filter(pa.array(equals(column(rows, "role"), *roles)))
    return is_in(work.user_keys("users"), keys)


def students(work: ExportTables) -> Mask:
    """Return which users are students: by kind, role or enrollment."""
    return equals(work.col("users", "user_kind"), "student") | with_role(work, "student") | enrolled_as(work, "student")


def teachers(work: ExportTables) -> Mask:
    """Return which users teach: by kind, role or enrollment."""
    return equals(work.col("users", "user_kind"), "teacher") | with_role(work, "teacher") | enrolled_as(work, "teacher")


def others(work: ExportTables) -> Mask:
    """Return which users have a role that is not a student's, a teacher's or a parent's."""
    rows = work.table("user_roles")
    roles = column(rows, "role")
    known = equals(roles, "student", "teacher", *PARENT_ROLES)
    return is_in(work.user_keys("users"), work.user_keys("user_roles").filter(pa.array(~known)))


def active_enrollments(*roles: str) -> Rule:
    """Return the rule that keeps enrollments of `roles` that are active, for a format without a status."""

    def rule(work: ExportTables) -> None:
        status = work.col("enrollments", "status")
        work.keep("enrollments", equals(status, "active") | ~present(status), "no_home")
        work.keep("enrollments", equals(work.col("enrollments", "role"), *roles), "no_home")
        work.keep("enrollments", present(work.col("enrollments", "section_id")), "missing_required")

    return rule


def active_users(work: ExportTables) -> None:
    """Leave out suspended users, for a format without a status."""
    work.keep("users", ~equals(work.col("users", "status"), "suspended"), "no_home")
    work.cascade()


def only_users(*masks: str) -> Rule:
    """Return the rule that keeps people who are one of ``students``, ``teachers``, ``others``."""
    found = {"students": students, "teachers": teachers, "others": others}

    def rule(work: ExportTables) -> None:
        kept = np.logical_or.reduce([found[name](work) for name in masks])
        work.keep("users", kept, "no_home")
        work.cascade()

    return rule


def require(table: str, *names: str) -> Rule:
    """Return the rule that leaves out records without a value in one of these columns, and what hangs on them."""

    def rule(work: ExportTables) -> None:
        kept = np.logical_and.reduce([present(work.col(table, name)) for name in names])
        work.keep(table, kept, "missing_required")
        work.cascade()

    return rule


def school_of(work: ExportTables, where: Mask, *, roles: tuple[str, ...] = ()) -> Array:
    """Return the one school of each user in `where`: of the primary role, else of most enrollments, else the first by id.

    A person with roles is at the school of one of them; one without is where the enrollments are. ``roles``: only these roles count.
    """
    keys = work.user_keys("users")
    role_rows = work.table("user_roles")
    at = present(work.col("user_roles", "organization_id"))
    at &= equals(column(role_rows, "role"), *roles) if roles else True
    role_rows = role_rows.filter(pa.array(at))
    school = work.col("enrollments", "organization_id")
    counted = pa.table(
        {"key": compound(work.user_keys("enrollments"), school), "user": work.user_keys("enrollments"), "school": school}
    )
    counted = counted.filter(pa.array(present(school)))
    sizes = counted.group_by(["key", "user", "school"], use_threads=False).aggregate([("key", "count")])
    role_keys = keys_of(role_rows, ("user_kind", "user_id"))
    schools = column(role_rows, "organization_id")
    primary = pc.cast(pc.fill_null(column(role_rows, "is_primary"), False), pa.int64())
    most = pc.fill_null(lookup(compound(role_keys, schools), column(sizes, "key"), column(sizes, "key_count")), 0)
    best = _best(role_keys, schools, primary, most)
    fallback = _best(column(sizes, "user"), column(sizes, "school"), column(sizes, "key_count"), column(sizes, "key_count"))
    found = pc.coalesce(lookup(keys, *best), lookup(keys, *fallback))
    return choose(where, found, nulls(len(keys)))


def _best(keys: Array, schools: Array, *ranks: Array) -> tuple[Array, Array]:
    """Return each key once, with the school that ranks highest, the first by id among equals."""
    names = [f"r{n}" for n in range(len(ranks))]
    table = pa.table({"key": keys, "school": schools, **dict(zip(names, ranks, strict=True))})
    table = table.take(pc.sort_indices(table, sort_keys=[*((name, "descending") for name in names), ("school", "ascending")]))
    table = table.filter(pa.array(first_marks(column(table, "key"))))
    return column(table, "key"), column(table, "school")


def one_role(role: str, where: str, *, primary: bool | None = None) -> Rule:
    """Return the rule that gives each student (or teacher) exactly one role `role`, at the one school.

    A role of another name at that school is said as `role`; roles at further schools are joined into the one.
    """
    found = {"students": students, "teachers": teachers}

    def rule(work: ExportTables) -> None:
        people = found[where](work)
        schools = school_of(work, people, roles=(role,)) if where == "students" else school_of(work, people)
        if where == "students":
            schools = pc.coalesce(schools, school_of(work, people))
        replace_roles(work, people, schools, role, primary=primary)

    return rule


def replace_roles(work: ExportTables, people: Mask, schools: Array, role: str, *, primary: bool | None = None) -> None:
    """Replace the roles of `people` by one `role` at their one school, and count what that changes, joins and makes up."""
    keys = work.user_keys("users")
    rows = work.table("user_roles")
    ours = is_in(work.user_keys("user_roles"), keys.filter(pa.array(people)))
    at = lookup(work.user_keys("user_roles"), keys, schools)
    here = ours & mask(pc.equal(work.col("user_roles", "organization_id"), at))
    exact = here & equals(work.col("user_roles", "role"), role)
    # Of several roles at the school the one of that name counts, else the first.
    place = pc.sort_indices(
        pa.table({"e": pa.array(~exact), "n": column(rows, ROW)}), sort_keys=[("e", "ascending"), ("n", "ascending")]
    )
    first = np.zeros(rows.num_rows, dtype=bool)
    ordered = place.to_numpy()
    candidate = ordered[here[ordered]]
    if len(candidate):
        first[candidate[first_marks(work.user_keys("user_roles").take(pa.array(candidate)))]] = True
    kept = ~ours | first
    said_as = ours & ~first & equals(work.col("user_roles", "role"), role)
    work.losses.add("rows_joined", "several_values", int(said_as.sum()), table="user_roles")
    work.losses.add("row_left_out", "no_home", int((ours & ~first & ~said_as).sum()), table="user_roles")
    work.tables["user_roles"] = rows.filter(pa.array(kept))
    _add_roles(work, people, schools, role)
    mine = is_in(work.user_keys("user_roles"), keys.filter(pa.array(people)))
    named = choose(mine, constant(role, len(mine)), work.col("user_roles", "role"))
    work.change("user_roles", "role", named, "coarser_code")
    flags = pa.array([primary] * len(mine), pa.bool_())
    work.change("user_roles", "is_primary", choose(mine, flags, work.col("user_roles", "is_primary")), "coarser_code")


def _add_roles(work: ExportTables, people: Mask, schools: Array, role: str) -> None:
    """Add a role for each of `people` who has a school and no role there; counted as made up."""
    keys = work.user_keys("users")
    missing = people & present(schools) & ~is_in(keys, work.user_keys("user_roles"))
    if not missing.any():
        return
    users = work.table("users").filter(pa.array(missing))
    made = {"user_kind": column(users, "user_kind"), "user_id": column(users, "user_id"), "role": constant(role, users.num_rows)}
    made["organization_id"] = schools.filter(pa.array(missing))
    size = users.num_rows
    work.add_rows("user_roles", made, size)
    work.losses.add("value_made_up", "missing_required", size, table="user_roles")


def one_role_a_school(work: ExportTables) -> None:
    """Keep one role of each person at each school: a student's, else a teacher's, else the first."""
    rows = work.table("user_roles")
    words = column(rows, "role")
    at = np.argsort(np.where(equals(words, "student"), 0, np.where(equals(words, "teacher"), 1, 2)), kind="stable")
    first = np.zeros(rows.num_rows, dtype=bool)
    first[at] = first_marks(keys_of(rows, ("user_kind", "user_id", "organization_id")).take(pa.array(at)))
    work.losses.add("rows_joined", "several_values", int((~first).sum()), table="user_roles")
    work.tables["user_roles"] = rows if first.all() else work.rows(rows, first)


def require_role(work: ExportTables) -> None:
    """Leave out people who are at no school: the format asks where they are."""
    work.keep("users", is_in(work.user_keys("users"), work.user_keys("user_roles")), "missing_required")
    work.cascade()


def kinds_by_file(kinds: Mapping[str, str]) -> Rule:
    """Return the rule that gives each person the kind of the file that the person stands in.

    ``kinds``: ``students``, ``teachers``, ``others`` (who is neither) or ``staff`` (teachers and others) → the kind. A person of two
    files becomes two records.
    """

    def rule(work: ExportTables) -> None:
        found: list[tuple[str, str, Mask]] = []
        taken = np.zeros(work.table("users").num_rows, dtype=bool)
        for name, kind in kinds.items():
            where = _of_file(work, name)
            where = where & ~taken if name == "others" else where
            taken = taken | where
            found.append((name, kind, where))
        _split_users(work, found)

    return rule


def _of_file(work: ExportTables, name: str) -> Mask:
    if name == "staff":
        return teachers(work) | (others(work) & ~students(work))
    return {"students": students, "teachers": teachers, "others": others}[name](work)


def _split_users(work: ExportTables, found: list[tuple[str, str, Mask]]) -> None:
    total = np.sum([where for _, _, where in found], axis=0)
    work.losses.add("rows_split", "several_values", int((total > 1).sum()), table="users")
    keys = work.user_keys("users")
    people = [keys.filter(pa.array(where)) for _, _, where in found]
    for table in [name for name in work.tables if "user_kind" in work.tables[name].column_names] if found else ():
        owners = work.user_keys(table)
        parts = [
            np.flatnonzero(is_in(owners, some) & _said_in(work, table, name))
            for (name, _, _), some in zip(found, people, strict=True)
        ]
        del owners
        _split_rows(work, table, parts, [kind for _, kind, _ in found])
    check_clashes(work, "the format")


def _split_rows(work: ExportTables, table: str, parts: list[Places], kinds: list[str]) -> None:
    """Say the rows of a table at some places as those of people of one kind, those at others as of another."""
    before = work.table(table)
    rows = work.take(before, pa.array(np.concatenate(parts)))
    said = pa.concat_arrays([constant(kind, len(part)) for part, kind in zip(parts, kinds, strict=True)])
    differs = ~mask(pc.equal(column(rows, "user_kind"), said))
    work.losses.add("value_changed", "coarser_code", int(differs.sum()), table=table, column="user_kind")
    gone = before.num_rows - _different_rows(column(rows, ROW))
    work.losses.add("row_left_out", "no_home", gone, table=table)
    work.tables[table] = work.store.keep(with_columns(rows, user_kind=said))
    work.store.release()


def _different_rows(numbers: Array) -> int:
    """Return how many different rows have `numbers`; those without one count as one."""
    known = pc.drop_null(numbers).to_numpy()
    seen = np.zeros(known.max(initial=-1) + 1, dtype=bool)
    seen[known] = True
    return int(seen.sum()) + bool(numbers.null_count)


def _said_in(work: ExportTables, table: str, name: str) -> Mask:
    """Return which rows of a table are said of a person as a student, a teacher, or another."""
    rows = work.table(table)
    everything = np.ones(rows.num_rows, dtype=bool)
    if table in ("user_roles", "enrollments"):
        roles = column(rows, "role")
        student, teacher = equals(roles, "student"), equals(roles, "teacher")
        parent = equals(roles, *PARENT_ROLES)
        if name == "students":
            return student
        if table == "enrollments":
            return teacher if name in ("teachers", "staff") else np.zeros(rows.num_rows, dtype=bool)
        return ~student & ~parent if name in ("teachers", "staff") else ~student & ~teacher & ~parent
    if table in ("student_profiles", "contacts"):
        return everything if name == "students" else ~everything
    return everything


def check_clashes(work: ExportTables, format_name: str) -> None:
    """Require that no two people have one id within a kind. Raises IdClash."""
    rows = work.table("users")
    if rows_ascend([column(rows, name) for name in ("user_kind", "user_id")]):
        return
    keys = work.user_keys("users")
    if count := len(keys) - pc.count_distinct(keys).as_py():
        raise IdClash(count=count, format=format_name)


def one_id_space(work: ExportTables) -> None:
    """Say people by their id alone (option ``user_ids``: ``plain``), or all of them as ``kind-id`` (``kinded``). Raises IdClash."""
    if work.options.get("user_ids") == "kinded":
        work.name_kinds()
    work.set_user_kinds(constant("user", work.table("users").num_rows))
    check_clashes(work, "a format with one space of ids")


_EMAIL = r"^[^@\s\pZ,;<>\"]+@[^@\s\pZ.,;<>\"]+(\.[^@\s\pZ.,;<>\"]+)+$"  # what our own readers take for an address


def with_email(work: ExportTables) -> Mask:
    """Return which users have an e-mail address that is one."""
    return mask(pc.match_substring_regex(work.col("users", "email"), pattern=_EMAIL))


def require_email_of(kind: str) -> Rule:
    """Return the rule that leaves out people of a kind without an e-mail address, which the format needs of them alone."""

    def rule(work: ExportTables) -> None:
        work.keep("users", ~equals(work.col("users", "user_kind"), kind) | with_email(work), "missing_required")
        work.cascade()

    return rule


def no_primary_role(work: ExportTables) -> None:
    """Say no role as the primary one, where the format does not."""
    work.change("user_roles", "is_primary", nulls(work.table("user_roles").num_rows, pa.bool_()), "no_home")


def email_or_username(work: ExportTables) -> None:
    """Give people without an e-mail address their user name, if it is one, and leave out the others: the format needs it."""
    username, email = work.col("users", "username"), work.col("users", "email")
    address = pc.if_else(pc.match_substring(username, "@"), username, pa.scalar(None, pa.string()))
    work.change("users", "email", choose(with_email(work), email, address), "coarser_code")
    work.keep("users", with_email(work), "missing_required")
    work.cascade()


def digits_number(work: ExportTables) -> None:
    """Say a number of digits alone: the number, else the id; and leave out people who have neither."""
    number, own = (_digits_only(work.col("users", name)) for name in ("number", "user_id"))
    number = _first_only(number)
    made = pc.coalesce(number, choose(is_in(own, number), nulls(len(own)), own))
    work.change("users", "number", _first_only(made), "coarser_code")
    require("users", "number")(work)


def unique_numbers(work: ExportTables) -> None:
    """Leave empty the number of people which another person of the same kind has, as the format refuses the second one."""
    kinds, number = work.col("users", "user_kind"), work.col("users", "number")
    first = first_marks(compound(kinds, number)) | ~present(number)
    work.change("users", "number", choose(first, number, nulls(len(number))), "several_values")


def _first_only(values: Array) -> Array:
    """Return each value once, where it stands first."""
    return choose(first_marks(values), values, nulls(len(values)))


def _digits_only(values: Array) -> Array:
    return pc.if_else(pc.match_substring_regex(values, pattern="^[0-9]+$"), values, pa.scalar(None, pa.string()))


def own_logins(work: ExportTables) -> None:
    """Leave empty a user name that the reader makes of the e-mail address by itself."""
    derived = work.is_derived("users", "username") & mask(pc.equal(work.col("users", "username"), work.col("users", "email")))
    work.change(
        "users", "username", choose(derived, nulls(len(derived)), work.col("users", "username")), "coarser_code", count=False
    )


def profiles_of(role: str) -> Rule:
    """Return the rule that keeps the profiles of people whose role is `role`: the format reads those alone."""

    def rule(work: ExportTables) -> None:
        roles = work.table("user_roles")
        owners = work.user_keys("user_roles").filter(pa.array(equals(column(roles, "role"), role)))
        work.keep("student_profiles", is_in(work.user_keys("student_profiles"), owners), "no_home")

    return rule
