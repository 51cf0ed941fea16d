"""What can be said of a row of a Canvas file before anybody looks at the roster."""

from __future__ import annotations

import pytest

from roster_etl.engine.validation.validate import ValidatedFile
from roster_etl.vendors import vendor
from tests.walking import found, judge, lines, rows

FORMAT = vendor("canvas").format


def judged(kind: str, *text: str) -> ValidatedFile:
    return judge(FORMAT.file(kind), lines(*text))


STATUSES = {
    "accounts": ("account_id,parent_account_id,status", "a,,{}", "active deleted"),
    "terms": ("term_id,name,status", "t,Fall,{}", "active deleted"),
    "courses": ("course_id,short_name,long_name,status", "c,C,Course,{}", "active unpublished published completed deleted"),
    "sections": ("section_id,course_id,name,status", "s,c,S,{}", "active deleted"),
    "xlists": ("xlist_course_id,section_id,status", "c,s,{}", "active deleted"),
    "users": ("user_id,login_id,status", "u,l,{}", "active suspended deleted"),
    "enrollments": (
        "section_id,user_id,role,status",
        "s,u,student,{}",
        "active completed inactive deleted deleted_last_completed",
    ),
    "admins": ("user_id,account_id,role,status", "u,,AccountAdmin,{}", "active deleted"),
    "group_categories": ("group_category_id,category_name,status", "g,Labs,{}", "active deleted"),
    "groups": ("group_id,name,status", "g,Lab,{}", "available closed completed deleted"),
    "groups_membership": ("group_id,user_id,status", "g,u,{}", "accepted deleted"),
    "user_observers": ("observer_id,student_id,status", "p,u,{}", "active deleted"),
}


@pytest.mark.parametrize(("kind", "status"), [(kind, word) for kind, facts in STATUSES.items() for word in facts[2].split()])
def test_a_status_counts_whatever_its_case_and_the_space_around_it(kind: str, status: str) -> None:
    header, row, _ = STATUSES[kind]
    result = judged(kind, header, row.format(status), row.format(status.title()), row.format(f"  {status} "))

    assert result.rows_accepted == 3


@pytest.mark.parametrize("kind", STATUSES)
@pytest.mark.parametrize("status", ["activeX", "deleted_x", "inactivee", "x", "1"])
def test_a_status_that_is_none_refuses_the_row(kind: str, status: str) -> None:
    header, row, _ = STATUSES[kind]
    result = judged(kind, header, row.format(status))

    assert found(result) == [("reject", "bad_status", 2, "status")]
    assert result.rows_accepted == 0


@pytest.mark.parametrize("kind", sorted(set(STATUSES) - {"accounts"}))
def test_a_status_is_needed_in_deletes_as_in_all_rows(kind: str) -> None:
    header, row, _ = STATUSES[kind]

    assert found(judged(kind, header, row.format(""))) == [("reject", "missing_required", 2, "status")]


@pytest.mark.parametrize(
    ("kind", "header", "row", "field"),
    [
        ("groups", "group_id,name,status", "g,,deleted", "name"),
        ("group_categories", "group_category_id,category_name,status", "g,,deleted", "category_name"),
    ],
)
def test_groups_and_their_sets_have_a_name_in_every_row(kind: str, header: str, row: str, field: str) -> None:
    assert found(judged(kind, header, row)) == [("reject", "missing_required", 2, field)]


def test_an_account_may_leave_its_status_as_it_is() -> None:
    assert judged("accounts", "account_id,parent_account_id,status", "a,,").rows_accepted == 1


def test_rows_about_one_record_all_apply_in_their_order() -> None:
    result = judged("users", "user_id,login_id,status", "u,l,active", "u,l,deleted", "u,l,active", "u,l,active")

    assert [row["_row"] for row in rows(result)] == [2, 3, 4, 5]
    assert found(result) == []


@pytest.mark.parametrize(
    ("kind", "header", "row", "field"),
    [
        ("enrollments", "section_id,course_id,user_id,role,status", ",,u,student,active", "course_id, section_id"),
        (
            "enrollments",
            "section_id,user_id,user_integration_id,role,status",
            "s,,,student,active",
            "user_id, user_integration_id",
        ),
        ("enrollments", "section_id,user_id,role,role_id,status", "s,u,,,active", "role, role_id"),
        ("enrollments", "section_id,user_id,status", "s,u,active", "role, role_id"),
        ("admins", "user_id,account_id,role,role_id,status", "u,a,,,active", "role, role_id"),
        ("change_sis_id", "old_id,old_integration_id,new_id,type", ",,n,user", "old_id, old_integration_id"),
        ("change_sis_id", "old_id,new_id,new_integration_id,type", "o,,,user", "new_id, new_integration_id"),
        (
            "logins",
            "user_id,login_id,existing_user_id",
            "u,l,",
            "existing_user_id, existing_integration_id, existing_canvas_user_id",
        ),
        ("terms", "term_id,name,status", "t,,active", "name"),
    ],
)
def test_one_of_several_columns_is_needed(kind: str, header: str, row: str, field: str) -> None:
    assert found(judged(kind, header, row)) == [("reject", "missing_required", 2, field)]


@pytest.mark.parametrize(
    ("kind", "header", "row"),
    [
        ("enrollments", "course_id,user_integration_id,role_id,status", "c,u,7,active"),
        ("admins", "user_id,account_id,role_id,status", "u,,7,active"),
        ("change_sis_id", "old_integration_id,new_integration_id,type", "o,<delete>,user"),
        ("logins", "user_id,login_id,existing_integration_id", "u,l,i"),
        ("terms", "term_id,name,status,date_override_enrollment_type", "t,,active,studentenrollment"),
        ("groups", "group_id,name,status,account_id", "g,Lab,available,"),
    ],
)
def test_the_other_column_is_as_good(kind: str, header: str, row: str) -> None:
    assert found(judged(kind, header, row)) == []


@pytest.mark.parametrize(
    ("kind", "header", "row", "field"),
    [
        (
            "terms",
            "term_id,name,status,date_override_enrollment_type",
            "t,Fall,active,ObserverEnrollment",
            "date_override_enrollment_type",
        ),
        ("courses", "course_id,short_name,long_name,status,course_format", "c,C,Course,active,hybrid", "course_format"),
        (
            "courses",
            "course_id,short_name,long_name,status,grade_passback_setting",
            "c,C,Course,active,weekly",
            "grade_passback_setting",
        ),
        ("change_sis_id", "old_id,new_id,type", "o,n,planet", "type"),
    ],
)
def test_a_word_that_changes_what_a_row_means_refuses_it_when_it_is_none(kind: str, header: str, row: str, field: str) -> None:
    assert found(judged(kind, header, row)) == [("reject", "bad_value", 2, field)]


@pytest.mark.parametrize("kind", ["terms", "courses", "sections", "enrollments"])
@pytest.mark.parametrize("date", ["next Friday", "08/26/2013", "2013-02-30", "2013-08-26T25:00", "<Delete>"])
def test_a_bad_date_is_doubtful_and_the_row_applies_without_it(kind: str, date: str) -> None:
    header, row, _ = STATUSES[kind]
    result = judged(kind, f"{header},start_date,end_date", f"{row.format('active')},{date},2013-12-01")

    assert found(result) == [("warning", "bad_date", 2, "start_date")]
    assert "start_date" not in rows(result)[0]
    assert rows(result)[0]["end_date"] == "2013-12-01"


@pytest.mark.parametrize(
    "date", ["2013-08-26T17:00:00Z", "2013-08-26 17:00:00Z", "2013-08-26T17:00-5:00", "2013-8-6", "2013-08-26"]
)
def test_the_dates_of_the_document_are_dates(date: str) -> None:
    assert found(judged("terms", "term_id,name,status,start_date", f"t,Fall,active,{date}")) == []


def test_course_dates_can_be_cleared_by_a_word() -> None:
    header = "course_id,short_name,long_name,status,start_date,end_date"

    assert found(judged("courses", header, "c,C,Course,active,<delete>,<delete>")) == []


@pytest.mark.parametrize("kind", ["users", "logins"])
def test_a_login_has_at_most_100_characters_and_no_control_characters(kind: str) -> None:
    header, end = {"users": ("user_id,login_id,status", "active"), "logins": ("user_id,login_id,existing_user_id", "e")}[kind]
    result = judged(kind, header, f"a,{'l' * 100},{end}", f"b,{'l' * 101},{end}", f"c,lo\x07gin,{end}", f'd,"lo\ngin",{end}')

    assert sorted(found(result)) == [
        ("reject", "control_character", 4, "login_id"),
        ("reject", "control_character", 5, "login_id"),
        ("reject", "too_long", 3, "login_id"),
    ]


def test_a_row_with_a_nul_is_refused_whatever_the_column() -> None:
    result = judged("users", "user_id,login_id,status,pronouns", "a,l,active,she\x00her")

    assert found(result) == [("reject", "control_character", 2, "pronouns")]


def test_a_bad_e_mail_address_is_doubtful_and_the_user_is_taken_without_it() -> None:
    result = judged("users", "user_id,login_id,status,email", "a,l,active,nobody")

    assert found(result) == [("warning", "invalid_email", 2, "email")]
    assert result.rows_accepted == 1


def test_rows_of_empty_cells_are_skipped_silently() -> None:
    result = judged("users", "user_id,login_id,status", ",,", "u,l,active", '"",,')

    assert found(result) == []
    assert [row["_row"] for row in rows(result)] == [3]


def test_ids_are_opaque() -> None:
    result = judged(
        "users",
        "user_id,login_id,status",
        "007,a,active",
        "7,b,active",
        "1E5,c,active",
        "NA,d,active",
        "u1,e,active",
        "U1,f,active",
    )

    assert [row["user_id"] for row in rows(result)] == ["007", "7", "1E5", "NA", "u1", "U1"]


def test_password_columns_are_in_no_frame_and_no_quarantine() -> None:
    result = judged("users", "user_id,login_id,status,password,ssha_password", "u,l,activeX,s3cret,{SSHA}abc")

    assert "password" not in result.rows.column_names
    assert "ssha_password" not in result.rows.column_names
    assert "s3cret" not in str(result.quarantine.to_pylist())
    assert "SSHA" not in str(result.quarantine.to_pylist())


def test_a_missing_required_column_refuses_the_file() -> None:
    result = judged("users", "user_id,login_id", "u,l")

    assert found(result) == [("file", "missing_column", None, "status")]
    assert result.refused == "missing_column"


def test_unknown_columns_are_told_and_not_read() -> None:
    result = judged("groups_membership", "group_id,user_id,status,comment", "g,u,accepted,hello")

    assert found(result) == [("warning", "unexpected_column", None, "comment")]
    assert "comment" not in result.rows.column_names


def test_a_file_with_a_header_only_is_there_and_says_nothing() -> None:
    result = judged("sections", "section_id,course_id,name,status")

    assert found(result) == [("warning", "empty_file", None, None)]
    assert result.refused is None
    assert result.present == ("section_id", "course_id", "name", "status")
