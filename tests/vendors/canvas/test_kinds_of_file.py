"""What a Canvas file is, its headers alone tell."""

from __future__ import annotations

import pytest

from roster_etl.pipeline.uploads.classify import kinds_of
from roster_etl.spec import Column
from roster_etl.vendors import vendor

FORMAT = vendor("canvas").format

DOCUMENTED = {
    "change_sis_id": "old_id,new_id,type",
    "accounts": "account_id,parent_account_id,name,status",
    "terms": "term_id,name,status,start_date,end_date,integration_id,date_override_enrollment_type",
    "courses": "course_id,short_name,long_name,account_id,term_id,status,start_date,end_date,course_format,blueprint_course_id",
    "sections": "section_id,course_id,name,status,integration_id,start_date,end_date",
    "xlists": "xlist_course_id,section_id,status",
    "users": "user_id,integration_id,login_id,password,first_name,last_name,full_name,sortable_name,short_name,email,status",
    "logins": "user_id,login_id,password,existing_user_id,existing_integration_id,existing_canvas_user_id,root_account,email",
    "enrollments": "course_id,root_account,start_date,end_date,user_id,role,role_id,section_id,status,associated_user_id,notify",
    "admins": "user_id,account_id,role_id,role,status,root_account",
    "group_categories": "group_category_id,account_id,course_id,category_name,status",
    "groups": "group_id,group_category_id,account_id,course_id,name,status",
    "groups_membership": "group_id,user_id,status",
    "user_observers": "observer_id,student_id,status",
}
SMALLEST = {
    "change_sis_id": ("old_id", "old_integration_id"),
    "accounts": ("account_id,parent_account_id",),
    "terms": ("term_id,name",),
    "courses": ("course_id,short_name", "course_id,short_name,abstract_course_id"),
    "sections": ("section_id,name",),
    "xlists": ("xlist_course_id,section_id",),
    "users": ("user_id,login_id",),
    "logins": ("existing_user_id", "existing_integration_id", "existing_canvas_user_id"),
    "enrollments": ("section_id,user_id", "course_id,user_id", "section_id,user_integration_id", "course_id,user_integration_id"),
    "admins": ("account_id,user_id",),
    "group_categories": ("group_category_id,category_name",),
    "groups": ("group_id,name",),
    "groups_membership": ("group_id,user_id",),
    "user_observers": ("observer_id,student_id",),
    "abstract_courses": ("abstract_course_id,short_name",),
    "differentiation_tag_sets": ("tag_set_id,set_name",),
    "differentiation_tags": ("tag_id,name",),
    "differentiation_tag_membership": ("tag_id,user_id",),
    "institutional_tag_categories": ("category_id,name",),
    "institutional_tags": ("institutional_tag_id,category_id,name",),
    "institutional_tag_associations": ("institutional_tag_id,user_id",),
    "grade_publishing_results": ("enrollment_id,grade_publishing_status",),
}


def kinds(header: str) -> list[str]:
    return [kind.name for kind in kinds_of(FORMAT, header.split(","))]


@pytest.mark.parametrize("kind", DOCUMENTED)
def test_the_documents_headers_are_those_of_one_kind(kind: str) -> None:
    assert kinds(DOCUMENTED[kind]) == [kind]


@pytest.mark.parametrize(("kind", "header"), [(kind, header) for kind, headers in SMALLEST.items() for header in headers])
def test_a_kind_is_known_by_as_few_headers_as_the_vendors_programs_need(kind: str, header: str) -> None:
    assert kinds(header) == [kind]


def test_all_columns_of_a_kind_together_are_headers_of_that_kind_alone() -> None:
    assert {file.name: kinds(",".join(column.name for column in file.columns)) for file in FORMAT.files} == {
        file.name: [file.name] for file in FORMAT.files
    }


@pytest.mark.parametrize("header", [" USER_ID ,Login_Id", "login_id,status,user_id,,"])
def test_case_order_white_space_and_nameless_columns_make_no_difference(header: str) -> None:
    assert kinds(header) == ["users"]


@pytest.mark.parametrize(
    ("header", "both"),
    [
        ("course_id,user_id,role,status,login_id", ["users", "enrollments"]),
        ("section_id,user_id,role,status,name", ["sections", "enrollments"]),
        ("account_id,parent_account_id,name,status,user_id", ["accounts", "admins"]),
        ("course_id,short_name,long_name,status,term_id,name", ["terms", "courses"]),
        ("group_id,name,user_id", ["groups", "groups_membership"]),
        ("tag_id,user_id,group_id", ["groups_membership", "differentiation_tag_membership"]),
    ],
)
def test_columns_of_two_kinds_are_seen_as_both(header: str, both: list[str]) -> None:
    assert kinds(header) == both


@pytest.mark.parametrize("header", ["", "id,first,last", "1001,Ana,active", "user_id,status", "Student_id,School_id"])
def test_other_headers_are_those_of_no_kind(header: str) -> None:
    assert kinds(header) == []


def test_kinds_load_in_the_order_of_the_vendors_programs() -> None:
    assert [file.name for file in FORMAT.files] == list(DOCUMENTED)


def test_the_columns_of_every_kind_are_those_of_the_document_and_known_newer_ones() -> None:
    newer = {
        "change_sis_id": {"old_integration_id", "new_integration_id"},
        "courses": {"grade_passback_setting", "friendly_name", "fallback_account_id", "abstract_course_id"},
        "enrollments": {"temporary_enrollment_source_user_id"},
    }
    document = {
        "change_sis_id": "old_id new_id type",
        "accounts": "account_id parent_account_id name status integration_id",
        "terms": "term_id name status start_date end_date integration_id date_override_enrollment_type",
        "courses": "course_id short_name long_name account_id term_id status integration_id start_date end_date course_format "
        "blueprint_course_id homeroom_course",
        "sections": "section_id course_id name status integration_id start_date end_date",
        "xlists": "xlist_course_id section_id status",
        "users": "user_id integration_id login_id password ssha_password authentication_provider_id first_name last_name full_name "
        "sortable_name short_name email pronouns declared_user_type canvas_password_notification home_account status",
        "logins": "user_id integration_id login_id password ssha_password authentication_provider_id existing_user_id "
        "existing_integration_id existing_canvas_user_id root_account email",
        "enrollments": "course_id root_account start_date end_date user_id user_integration_id role role_id section_id status "
        "associated_user_id limit_section_privileges notify",
        "admins": "user_id account_id role_id role status root_account",
        "group_categories": "group_category_id account_id course_id category_name status",
        "groups": "group_id group_category_id account_id course_id name status",
        "groups_membership": "group_id user_id status",
        "user_observers": "observer_id student_id status",
    }

    assert {file.name: {column.name for column in file.columns} - newer.get(file.name, set()) for file in FORMAT.files} == {
        name: set(columns.split()) for name, columns in document.items()
    }


def test_sticky_columns_are_those_that_the_document_marks() -> None:
    marked = {file.name: {column.name for column in file.columns if column.sticky} for file in FORMAT.files}

    assert {name: columns for name, columns in marked.items() if columns} == {
        "accounts": {"parent_account_id", "name"},
        "terms": {"name", "start_date", "end_date"},
        "courses": {
            "short_name",
            "long_name",
            "account_id",
            "term_id",
            "status",
            "start_date",
            "end_date",
            "grade_passback_setting",
        },
        "sections": {"course_id", "name", "start_date", "end_date"},
        "users": {"login_id", "first_name", "last_name", "full_name", "sortable_name", "short_name", "pronouns", "status"},
        "logins": {"existing_user_id", "existing_integration_id", "existing_canvas_user_id"},
        "enrollments": {"start_date", "end_date"},
        "group_categories": {"category_name"},
        "groups": {"name"},
    }


def test_passwords_are_secret_wherever_they_stand() -> None:
    secret: list[tuple[str, Column]] = [(file.name, column) for file in FORMAT.files for column in file.columns if column.secret]

    assert [(file, column.name) for file, column in secret] == [
        ("users", "password"),
        ("users", "ssha_password"),
        ("users", "canvas_password_notification"),
        ("logins", "password"),
        ("logins", "ssha_password"),
    ]
