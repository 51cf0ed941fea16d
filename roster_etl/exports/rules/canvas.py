"""Rules and rows of files of the kind that learning platforms take: a root account, logins, observers, cross-listed sections."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.exports.arrays import (
    Mask,
    choose,
    column,
    compound,
    constant,
    each_distinct,
    equals,
    first_marks,
    is_in,
    lookup,
    mask,
    nulls,
    present,
    same,
    texts,
    with_columns,
)
from roster_etl.exports.cells import without_breaks
from roster_etl.exports.export_tables import ROW, ExportTables
from roster_etl.exports.plan import Rule
from roster_etl.exports.rows import qualified
from roster_etl.exports.rules.people import PARENT_ROLES, require

_WITH_SECOND_IDS = ("organizations", "terms", "users", "logins", "courses", "sections")
_STAFF_ROLES = ("staff", "tech_lead")
_REFERRING = (("organizations", "parent_organization_id"), ("courses", "organization_id"), ("user_roles", "organization_id"), ("group_categories", "organization_id"), ("groups", "organization_id"))  # fmt: skip


def root_account(work: ExportTables) -> None:
    """Say the district as the root account, which is no record: what belongs to it has no account."""
    ids = work.col("organizations", "organization_id")
    district = ids.filter(pa.array(equals(work.col("organizations", "type"), "district")))
    for table, name in _REFERRING:
        if table in work.tables and name in work.tables[table].column_names:
            values = work.col(table, name)
            work.change(table, name, choose(is_in(values, district), nulls(len(values)), values), "coarser_code")
    work.keep("organizations", ~is_in(ids, district), "no_home")


def admin_roles(work: ExportTables) -> None:
    """Keep roles in accounts: those of students, teachers and parents follow from enrollments; staff have one where an option says so."""
    roles = work.col("user_roles", "role")
    work.keep("user_roles", ~equals(roles, "student", "teacher", *PARENT_ROLES), "no_home")
    named = work.options.get("staff_role")
    roles = work.col("user_roles", "role")
    staff = equals(roles, *_STAFF_ROLES)
    if not named:
        work.keep("user_roles", ~staff, "no_home")
        staff = np.zeros(work.table("user_roles").num_rows, dtype=bool)
    roles = work.col("user_roles", "role")
    said = choose(staff, constant(str(named), len(roles)), roles)
    work.change("user_roles", "role", choose(equals(roles, "admin"), constant("AccountAdmin", len(roles)), said), "coarser_code")


def observing_contacts(work: ExportTables) -> None:
    """Say a contact who is a user as an observer of the student."""
    contacts = work.unheld.get("contacts")
    if contacts is None or "contact_user_id" not in contacts.column_names:
        return
    known = is_in(column(contacts, "contact_user_id"), work.col("users", "user_id"))
    known &= is_in(column(contacts, "user_id"), work.col("users", "user_id"))
    known &= ~same(column(contacts, "contact_user_id"), column(contacts, "user_id"))  # nobody observes oneself
    found = contacts.filter(pa.array(known))
    made = pa.table(
        {
            "observer_id": column(found, "contact_user_id"),
            "student_id": column(found, "user_id"),
            ROW: nulls(found.num_rows, pa.int64()),
        }
    )
    rows = work.table("observers")
    both = pa.concat_tables([rows.select(made.column_names), made]).combine_chunks()
    pairs = pc.binary_join_element_wise(column(both, "observer_id"), column(both, "student_id"), "\x1f")
    fresh = both.filter(pa.array(first_marks(pairs)))
    work.losses.add("value_made_up", "missing_required", fresh.num_rows - rows.num_rows, table="observers")
    work.tables["observers"] = fresh


def name_terms(work: ExportTables) -> None:
    """Give terms without a name their id."""
    work.fill("terms", "name", work.col("terms", "term_id"))


def name_courses(work: ExportTables) -> None:
    """Give courses both names: the short one from number or name, the long one from the short one."""
    work.fill("courses", "short_name", work.col("courses", "number"), work.col("courses", "name"))
    work.fill("courses", "name", work.col("courses", "short_name"))
    work.keep("courses", present(work.col("courses", "name")), "missing_required")
    work.cascade()


def name_sections(work: ExportTables) -> None:
    """Give sections without a name their course's."""
    name = lookup(work.col("sections", "course_id"), work.col("courses", "course_id"), work.col("courses", "name"))
    work.fill("sections", "name", name)
    work.fill("sections", "home_course_id", work.col("sections", "course_id"))


def unique_logins(longest: int) -> Rule:
    """Return the rule that gives each user a login of the own: the user name, else the e-mail address, else the id.

    A user whom no login is left for is left out. A login of more than `longest` characters, or with a control character, is none: shortened it would be another one.
    """

    def rule(work: ExportTables) -> None:
        _keep_own_logins(work, longest)
        names, ids = work.col("users", "username"), work.col("users", "user_id")
        taken = work.col("logins", "username") if "logins" in work.tables else texts([])
        login = nulls(len(ids))
        for candidate in (names, work.col("users", "email"), ids):
            candidate = choose(present(login), nulls(len(ids)), candidate)  # noqa: PLW2901 - only where there is none yet
            folded = _lower(pc.coalesce(login, candidate))
            others = _lower(taken)
            free = present(candidate) & _is_login(candidate, longest) & first_marks(folded) & ~is_in(folded, others)
            free &= ~is_in(_lower(candidate), _lower(login))
            login = pc.coalesce(login, choose(free, candidate, nulls(len(ids))))
        work.change("users", "username", choose(_is_login(names, longest), names, login), "too_long")
        work.change("users", "username", login, "several_values")
        require("users", "username")(work)

    return rule


def _keep_own_logins(work: ExportTables, longest: int) -> None:
    """Leave out further logins that Canvas does not take: too long, of a name that another one has, or under the id of a user."""
    if "logins" not in work.tables:
        return
    work.keep("logins", ~is_in(work.col("logins", "login_user_id"), work.col("users", "user_id")), "id_not_allowed")
    work.keep("logins", _is_login(work.col("logins", "username"), longest), "too_long")
    names = work.col("logins", "username")
    work.keep("logins", first_marks(_lower(names)) | ~present(names), "several_values")


def _lower(names: pa.Array) -> pa.Array:
    """Return names as the reader compares them: Arrow has other small letters for a few."""
    if pc.all(pc.string_is_ascii(names), min_count=0).as_py():
        return pc.utf8_lower(names)
    return each_distinct(names, str.lower)


def _is_login(names: pa.Array, longest: int) -> Mask:
    """Return which names may be logins; those that are not there may."""
    short = pc.less_equal(pc.utf8_length(names), longest)
    return mask(pc.fill_null(pc.and_not(short, pc.match_substring_regex(names, r"[\x00-\x1f\x7f\x{85}\x{2028}\x{2029}]")), True))


def unique_without_breaks(work: ExportTables) -> None:
    """Leave empty a second id, and leave out a set of groups, whose name is another's once it has no line break."""
    for table in [table for table in _WITH_SECOND_IDS if table in work.tables]:
        ids = work.col(table, "integration_id")
        first = first_marks(without_breaks(ids)) | ~present(ids)
        work.change(table, "integration_id", choose(first, ids, nulls(len(ids))), "several_values")
    if "group_categories" in work.tables:
        names = without_breaks(work.col("group_categories", "name"))
        context = (work.col("group_categories", name) for name in ("organization_id", "course_id"))
        work.keep("group_categories", first_marks(compound(*context, names)), "several_values")
        work.cascade()


def statuses(work: ExportTables) -> None:
    """Say a status everywhere: active where the roster has none."""
    for table in ("users", "courses", "enrollments"):
        size = work.table(table).num_rows
        work.change(table, "status", pc.coalesce(work.col(table, "status"), constant("active", size)), "missing_required")


def courses_of_sections(work: ExportTables) -> None:
    """Say the course of an enrollment as that of its section."""
    of_section = lookup(
        work.col("enrollments", "section_id"), work.col("sections", "section_id"), work.col("sections", "course_id")
    )
    work.change("enrollments", "course_id", pc.coalesce(of_section, work.col("enrollments", "course_id")), "coarser_code")


def observer_links(work: ExportTables) -> None:
    """Leave out observers' enrollments without the student whom they watch."""
    watching = equals(work.col("enrollments", "role"), "observer") & present(work.col("enrollments", "cause"))
    work.keep("enrollments", ~watching | present(work.col("enrollments", "associated_user_id")), "no_home")


def group_members(work: ExportTables) -> None:
    """Leave out members of a course's group who are not enrolled in the course: the reader refuses them."""
    group, user = work.col("group_memberships", "group_id"), work.col("group_memberships", "user_id")
    course = lookup(group, work.col("groups", "group_id"), work.col("groups", "course_id"))
    enrolled = compound(work.col("enrollments", "course_id"), work.col("enrollments", "user_id"))
    work.keep("group_memberships", ~present(course) | is_in(compound(course, user), enrolled), "parent_left_out")


def account_rows(work: ExportTables) -> pa.Table:
    """Return one row an account; ``depth``: how many are above, as a parent stands before its children."""
    rows = qualified(work, "organizations")
    ids, parents = column(rows, "organizations.organization_id"), column(rows, "organizations.parent_organization_id")
    depth = np.zeros(rows.num_rows, dtype=np.int64)
    above = parents
    for level in range(1, rows.num_rows + 1):
        known = is_in(above, ids)
        if not known.any() or level > 100:
            break
        depth[known] = level
        above = lookup(above, ids, parents)
    return with_columns(rows, depth=pa.array(depth))


def term_rows(work: ExportTables) -> pa.Table:
    """Return one row a term, and one for each kind of enrollment with dates of its own; ``override``: the kind, empty for the term."""
    terms = qualified(work, "terms")
    dates = work.table("term_dates")
    rows = with_columns(terms, **{"term_dates.enrollment_type": nulls(terms.num_rows)})
    made = {
        "terms.term_id": column(dates, "term_id"),
        "terms.start_at": column(dates, "start_at"),
        "terms.end_at": column(dates, "end_at"),
        "term_dates.enrollment_type": column(dates, "enrollment_type"),
    }
    columns = [made.get(field.name, nulls(dates.num_rows, field.type)) for field in rows.schema]
    both = pa.concat_tables([rows, pa.table(columns, schema=rows.schema)]).combine_chunks()
    return with_columns(both, override=pc.fill_null(column(both, "term_dates.enrollment_type"), ""))


def user_rows(work: ExportTables) -> pa.Table:
    """Return one row a user, with the whole name where it was given."""
    rows = qualified(work, "users")
    derived = work.is_derived("users", "full_name")
    full = column(rows, "users.full_name")
    first, last = column(rows, "users.first_name"), column(rows, "users.last_name")
    first_last = pc.coalesce(pc.binary_join_element_wise(first, last, " "), first, last)
    implied = derived & mask(pc.equal(full, first_last))
    return with_columns(rows, given_full_name=choose(implied, nulls(len(full)), full))


def cross_listed_rows(work: ExportTables) -> pa.Table:
    """Return the sections that are in another course than their own."""
    rows = qualified(work, "sections")
    moved = ~same(column(rows, "sections.course_id"), column(rows, "sections.home_course_id"))
    return rows.filter(pa.array(moved))


def own_enrollment_rows(work: ExportTables) -> pa.Table:
    """Return the enrollments that do not follow from others; a course is named where there is no section."""
    rows = qualified(work, "enrollments")
    rows = rows.filter(pa.array(~present(column(rows, "enrollments.cause"))))
    default = ~present(column(rows, "enrollments.section_id"))
    course = column(rows, "enrollments.course_id")
    return with_columns(rows, course_if_default=choose(default, course, nulls(len(course))))
