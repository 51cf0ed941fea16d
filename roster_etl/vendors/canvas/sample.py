"""A synthetic Canvas district, and the changes of its next day: data that the specs cannot generate."""

from __future__ import annotations

from random import Random

from roster_etl.spec.sample_district import DOMAIN, FIRST_NAMES, LAST_NAMES
from roster_etl.spec.sample_types import Row, Rows, SampleChange
from roster_etl.vendors.canvas import FORMAT

SCHOOLS = ("Lincoln High School", "Harriet Tubman Academy", "St. Mary's", 'Franklin "Hawks"', "Mission, North")
SUBJECTS = (
    ("ENG", "English"),
    ("MAT", "Algebra, first year"),
    ("BIO", "Biology"),
    ("HIS", "World History"),
    ("ART", "Visual Arts"),
)
STUDENTS_A_SCHOOL, STUDENTS_A_SECTION = 200, 25
FALL, SPRING = "2026-FA", "2027-SP"


def district(students: int, random: Random) -> Rows:
    """Return the rows of a district of `students` students, as its first upload."""
    schools = [f"{n + 1:03d}" for n in range(max(2, -(-students // STUDENTS_A_SCHOOL)))]
    rows: Rows = {"accounts": _accounts(schools), "terms": _terms()}
    groups = [
        (school, group) for school in schools for group in range(max(1, -(-students // (len(schools) * STUDENTS_A_SECTION))))
    ]
    rows["courses"] = [_course(school, code, name) for school in schools for code, name in SUBJECTS]
    rows["sections"] = [_section(school, code, group) for school, group in groups for code, _ in SUBJECTS]
    pupils = [_student(n, random) for n in range(students)]
    teachers = [_teacher(school, code, random) for school in schools for code, _ in SUBJECTS]
    parents = [_parent(pupil, random) for pupil in pupils[:: max(2, students // 20)]]
    rows["xlists"] = _cross_list_rows(rows["sections"])
    rows["users"] = [*teachers, *pupils, *parents]
    rows["logins"] = [_second_login(teacher) for teacher in teachers[::4]]
    taught = [_enrollment(row["section_id"], f"T{row['course_id']}", "teacher") for row in rows["sections"]]
    rows["enrollments"] = [*taught, *_student_enrollments(pupils, groups)]
    rows["admins"] = [
        _row("admins", user_id=t["user_id"], account_id=_school(t["user_id"]), role="AccountAdmin", status="active")
        for t in teachers[:: len(SUBJECTS)]
    ]
    rows |= _group_rows(rows["enrollments"], schools[0])
    rows["user_observers"] = [
        _row("user_observers", observer_id=parent["user_id"], student_id=parent["user_id"].removeprefix("P"), status="active")
        for parent in parents
    ]
    return rows


def next_day(rows: Rows, random: Random) -> tuple[Rows, list[SampleChange]]:
    """Return the changes of the day after the upload `rows`, some of them invalid, and a description of each."""
    pupils = [row for row in rows["users"] if row["user_id"][:1] not in ("P", "T")]
    chosen = random.sample(pupils, min(len(pupils), 6))
    fresh = _student(len(pupils), random)
    changes: Rows = {"users": [], "enrollments": [], "terms": _term_override()}
    told = [
        *_change_ids(changes, rows, chosen[0]),
        *_delete_users(changes, chosen[1:2]),
        *_change_last_names(changes, chosen[2:3]),
        *_change_sections(changes, rows, chosen[3:4]),
        *_add_student(changes, rows, fresh),
        *_end_cross_list(changes, rows),
        *_conclude_course(changes, rows),
        *_break_rows(changes, rows),
        SampleChange(kind="created", file="terms", count=1, what="has dates of its own for teachers"),
    ]
    return changes, told


# ---- one row each


def _row(file: str, **cells: str) -> Row:
    """Return a row of `file`: every column but the secret ones, empty unless given."""
    return {column.name: cells.get(column.name, "") for column in FORMAT.file(file).columns if not column.secret}


def _school(code: str) -> str:
    return code.removeprefix("T").split("-")[0]


def _accounts(schools: list[str]) -> list[Row]:
    found = [
        _row("accounts", account_id="D", name="Sample Unified School District", status="active", integration_id="NCES-0000001")
    ]
    for n, school in enumerate(schools):
        name = f"{SCHOOLS[n % len(SCHOOLS)]}{f' {n // len(SCHOOLS) + 1}' if n >= len(SCHOOLS) else ''}"
        found.append(_row("accounts", account_id=school, parent_account_id="D", name=name, status="active"))
    return found


def _terms() -> list[Row]:
    return [
        _row(
            "terms",
            term_id=FALL,
            name="Fall 2026",
            status="active",
            start_date="2026-08-24T00:00:00Z",
            end_date="2026-12-19T00:00:00Z",
        ),
        _row(
            "terms",
            term_id=SPRING,
            name="Spring 2027",
            status="active",
            start_date="2027-01-11",
            end_date="2027-05-29T00:00-5:00",
        ),
        _row(
            "terms",
            term_id=FALL,
            status="active",
            start_date="2026-08-17",
            end_date="2027-01-08",
            date_override_enrollment_type="TeacherEnrollment",
        ),
    ]


def _course(school: str, code: str, name: str) -> Row:
    return _row(
        "courses",
        course_id=f"{school}-{code}",
        short_name=f"{code}-{school}",
        long_name=name,
        account_id=school,
        term_id=SPRING if code == "ART" else FALL,
        status="published" if code == "ENG" else "active",
        course_format="blended" if code == "BIO" else "",
        start_date="2026-09-01T08:00:00-05:00" if code == "HIS" else "",
    )


def _section(school: str, code: str, group: int) -> Row:
    section = f"{school}-{code}-{group + 1}"
    return _row("sections", section_id=section, course_id=f"{school}-{code}", name=f"{code} period {group + 1}", status="active")


def _student(n: int, random: Random) -> Row:
    first, last = random.choice(FIRST_NAMES), random.choice(LAST_NAMES)
    number = f"{n + 7:05d}" if n % 10 else f"{n + 7}E5"
    return _row(
        "users",
        user_id=number,
        integration_id=f"st-{number}",
        login_id=f"student{number}".lower(),
        first_name=first,
        last_name=last,
        email=f"student{number}@{DOMAIN}".lower(),
        pronouns="they/them" if n % 17 == 0 else "",
        declared_user_type="student",
        status="active",
    )


def _teacher(school: str, code: str, random: Random) -> Row:
    name = f"{random.choice(FIRST_NAMES)} {random.choice(LAST_NAMES)}"
    user_id = f"T{school}-{code}"
    return _row(
        "users",
        user_id=user_id,
        login_id=f"{user_id}@{DOMAIN}".lower(),
        full_name=name,
        short_name=f"Teacher {name.rsplit(maxsplit=1)[-1]}",
        email=f"{user_id}@{DOMAIN}".lower(),
        declared_user_type="teacher",
        status="active",
    )


def _parent(pupil: Row, random: Random) -> Row:
    user_id = f"P{pupil['user_id']}"
    return _row(
        "users",
        user_id=user_id,
        login_id=f"{user_id}@{DOMAIN}".lower(),
        first_name=random.choice(FIRST_NAMES),
        last_name=pupil["last_name"],
        email=f"{user_id}@{DOMAIN}".lower(),
        declared_user_type="observer",
        status="active",
    )


def _second_login(teacher: Row) -> Row:
    user_id = f"{teacher['user_id']}-2"
    return _row("logins", user_id=user_id, login_id=f"{user_id}".lower(), existing_user_id=teacher["user_id"])


def _enrollment(section: str, user: str, role: str, status: str = "active") -> Row:
    return _row("enrollments", section_id=section, user_id=user, role=role, status=status)


def _student_enrollments(pupils: list[Row], groups: list[tuple[str, int]]) -> list[Row]:
    """Enroll each student in one section of each subject, all at one school."""
    places = [groups[n % len(groups)] for n in range(len(pupils))]
    return [
        _enrollment(f"{school}-{code}-{group + 1}", pupil["user_id"], "student")
        for pupil, (school, group) in zip(pupils, places, strict=True)
        for code, _ in SUBJECTS
    ]


def _cross_list_rows(sections: list[Row]) -> list[Row]:
    """Return the cross-listing of art: into English at the first school, and into a course of its own at the second."""
    own = next(row for row in sections if row["section_id"].startswith("002-ART"))
    return [
        _row("xlists", xlist_course_id="001-ENG", section_id="001-ART-1", status="active"),
        _row("xlists", xlist_course_id="002-ART-TOGETHER", section_id=own["section_id"], status="active"),
    ]


def _group_rows(enrollments: list[Row], school: str) -> Rows:
    lab = f"{school}-BIO"
    pupils = [row["user_id"] for row in enrollments if row["role"] == "student" and row["section_id"] == f"{lab}-1"][:4]
    categories = [
        _row("group_categories", group_category_id="LAB", course_id=lab, category_name="Lab partners", status="active"),
        _row("group_categories", group_category_id="CLUBS", account_id=school, category_name="Clubs", status="active"),
    ]
    groups = [
        _row("groups", group_id="LAB-1", group_category_id="LAB", course_id=lab, name="Microscopes", status="available"),
        _row("groups", group_id="CHESS", group_category_id="CLUBS", account_id=school, name="Chess", status="available"),
    ]
    members = [
        _row("groups_membership", group_id=group, user_id=user, status="accepted")
        for user in pupils
        for group in ("LAB-1", "CHESS")
    ]
    return {"group_categories": categories, "groups": groups, "groups_membership": members}


def _term_override() -> list[Row]:
    return [
        _row(
            "terms",
            term_id=SPRING,
            status="active",
            start_date="2027-01-04",
            end_date="2027-06-05",
            date_override_enrollment_type="TeacherEnrollment",
        )
    ]


def _change_ids(changes: Rows, rows: Rows, pupil: Row) -> tuple[SampleChange, ...]:
    course = rows["courses"][-1]["course_id"]
    changes["change_sis_id"] = [
        _row("change_sis_id", old_id=pupil["user_id"], new_id=f"N{pupil['user_id']}", type="user"),
        _row("change_sis_id", old_id=course, new_id=f"{course}-2026", type="course"),
    ]
    return (
        SampleChange(kind="updated", file="users", count=1, what="has a new id; history and enrollments stay"),
        SampleChange(kind="updated", file="courses", count=1, what="has a new id"),
    )


def _delete_users(changes: Rows, leavers: list[Row]) -> tuple[SampleChange, ...]:
    changes["users"] += [{**row, "status": "deleted"} for row in leavers]
    return (SampleChange(kind="removed", file="users", count=len(leavers), what="left, with all enrollments"),)


def _change_last_names(changes: Rows, renamed: list[Row]) -> tuple[SampleChange, ...]:
    changes["users"] += [{**row, "last_name": f"{row['last_name']}-Rivera"} for row in renamed]
    return (SampleChange(kind="updated", file="users", count=len(renamed), what="have a new last name"),)


def _change_sections(changes: Rows, rows: Rows, movers: list[Row]) -> tuple[SampleChange, ...]:
    """Move each of `movers` to another section of the same course, if there is one; the old enrollment ends."""
    homes = {row["section_id"]: row["course_id"] for row in rows["sections"]}
    moved = 0
    for mover in movers:
        old = next(row["section_id"] for row in rows["enrollments"] if row["user_id"] == mover["user_id"])
        new = next((s for s, course in homes.items() if course == homes[old] and s != old), None)
        if new:
            changes["enrollments"] += [
                _enrollment(new, mover["user_id"], "student"),
                _enrollment(old, mover["user_id"], "student", "deleted_last_completed"),
            ]
            moved += 1
    return (SampleChange(kind="updated", file="enrollments", count=moved, what="changed from one section to another"),)


def _add_student(changes: Rows, rows: Rows, fresh: Row) -> tuple[SampleChange, ...]:
    changes["users"].append(fresh)
    changes["enrollments"] += [_enrollment(row["section_id"], fresh["user_id"], "student") for row in rows["sections"][:2]]
    return (
        SampleChange(kind="created", file="users", count=1, what="is new"),
        SampleChange(kind="created", file="enrollments", count=2, what="are of the new student"),
    )


def _end_cross_list(changes: Rows, rows: Rows) -> tuple[SampleChange, ...]:
    changes["xlists"] = [{**rows["xlists"][0], "status": "deleted"}]
    return (SampleChange(kind="updated", file="sections", count=1, what="went back to its own course"),)


def _conclude_course(changes: Rows, rows: Rows) -> tuple[SampleChange, ...]:
    changes["courses"] = [{**rows["courses"][3], "status": "completed"}]
    changes["groups_membership"] = [{**row, "status": "deleted"} for row in rows["groups_membership"][:1]]
    return (
        SampleChange(kind="updated", file="courses", count=1, what="is concluded"),
        SampleChange(kind="removed", file="groups_membership", count=len(changes["groups_membership"]), what="left a group"),
    )


def _break_rows(changes: Rows, rows: Rows) -> tuple[SampleChange, ...]:
    """Break some rows as exports do: an invalid status, a date that does not exist, a reference to nothing."""
    section = rows["sections"][0]
    changes["users"].append({**rows["users"][0], "status": "retired"})
    changes["enrollments"].append(_enrollment(section["section_id"], "no-such-user", "student"))
    changes["sections"] = [{**section, "end_date": "2026-02-30"}]
    return (
        SampleChange(kind="refused", file="users", count=1, what="has a status that is none"),
        SampleChange(kind="refused", file="enrollments", count=1, what="names a user whom nobody knows"),
        SampleChange(kind="doubted", file="sections", count=1, what="has an end date that does not exist; it is left empty"),
    )
