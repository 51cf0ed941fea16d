"""Clever's specs against the document's own lists."""

from __future__ import annotations

import pytest

from roster_etl.frames.arrow import text_series
from roster_etl.mapping.value_functions import keyword_subject
from roster_etl.spec import Choice
from roster_etl.vendors.clever import FORMAT
from roster_etl.vendors.clever.codes import GRADES, SUBJECT_KEYWORDS, SUBJECT_OPTIONS, SUBJECT_OTHERWISE

# The header rows of the appendix (5.1 to 5.7) and the columns marked YES in section 3, without ext.*
HEADERS = {
    "schools": "School_id School_name School_number State_id Low_grade High_grade Principal Principal_email School_address "
    "School_city School_state School_zip School_phone",
    "students": "School_id Student_id Student_number State_id Last_name Middle_name First_name Preferred_last_name "
    "Preferred_middle_name Preferred_first_name Grade Gender Gifted_status Graduation_year DOB Race Hispanic_Latino Home_language "
    "Ell_status Frl_status IEP_status Student_street Student_city Student_state Student_zip Student_email Contact_relationship "
    "Contact_type Contact_name Contact_phone Contact_phone_type Contact_email Contact_sis_id Username Password Unweighted_gpa "
    "Weighted_gpa Disability_status Disability_type Section_504_status",
    "teachers": "School_id Teacher_id Teacher_number State_teacher_id Teacher_email First_name Middle_name Last_name Title Username "
    "Password",
    "sections": "School_id Section_id Teacher_id Name Section_number Grade Course_name Course_number Course_description Period "
    "Subject Term_name Term_start Term_end",
    "enrollments": "School_id Section_id Student_id",
    "staff": "School_id Staff_id Staff_email First_name Last_name Department Title Username Password Role",
    "admins": "School_id Staff_id Admin_email First_name Last_name Admin_title Username Password Role",
}
REQUIRED = {
    "schools": "School_id School_name School_number",
    "students": "School_id Student_id Last_name First_name",
    "teachers": "School_id Teacher_id First_name Last_name",
    "sections": "School_id Section_id Teacher_id",
    "enrollments": "School_id Section_id Student_id",
    "staff": "School_id Staff_id Staff_email First_name Last_name",
    "admins": "School_id Staff_id Admin_email First_name Last_name",
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_file_has_the_columns_of_the_document(name: str) -> None:
    file = FORMAT.file(name)

    assert [column.name for column in file.columns] == HEADERS[name].split()
    assert {column.name for column in file.columns if column.required} == set(REQUIRED[name].split())
    assert file.extensions == ("ext.",)


def test_five_files_are_required_and_admins_is_deprecated() -> None:
    assert [file.name for file in FORMAT.files if not file.required] == ["staff", "admins"]
    assert [file.name for file in FORMAT.files if file.deprecated] == ["admins"]


def test_a_section_has_up_to_nine_co_teachers() -> None:
    family = FORMAT.file("sections").families[0]

    assert [family.column(n).name for n in (family.first, family.last)] == ["Teacher_2_id", "Teacher_10_id"]


def test_only_staff_may_be_at_the_district() -> None:
    also = {f.name: f.column("School_id").references.also for f in FORMAT.files if f.column("School_id").references}

    assert also.pop("staff") == ("DEFAULT_DISTRICT_OFFICE", "district")
    assert set(also.values()) == {()}


def test_an_unknown_lunch_status_is_no_discount() -> None:
    assert FORMAT.file("students").column("Frl_status").cell_format == Choice(options=("F", "R", "N"), fallback="N")


def test_grades_are_ranges_for_schools_and_sections_but_not_for_students() -> None:
    assert FORMAT.file("schools").column("Low_grade").cell_format.ranges
    assert FORMAT.file("sections").column("Grade").cell_format.ranges
    assert not FORMAT.file("students").column("Grade").cell_format.ranges


def test_every_grade_is_a_canonical_one() -> None:
    assert set(GRADES.values()) == {"IT", "PR", "PK", "TK", "KG", "PS", "UG", "OT", *(f"{n:02d}" for n in range(1, 14))}


def test_keywords_lead_to_subjects_of_the_document() -> None:
    assert {subject for subject, _ in SUBJECT_KEYWORDS} | {SUBJECT_OTHERWISE} == set(SUBJECT_OPTIONS)


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("Algebra I", "Math"),
        ("AP Calculus BC", "Math"),
        ("English 9", "English/language arts"),
        ("Language Arts 4", "English/language arts"),
        ("Spanish II", "Language"),
        ("American Sign Language", "Language"),
        ("Biology Honors", "Science"),
        ("Physical Science", "Science"),
        ("Physical Education", "PE and health"),
        ("P.E. 7", "PE and health"),
        ("AP Computer Science A", "Technology and engineering"),
        ("U.S. History", "Social studies"),
        ("Social Science", "Social studies"),
        ("Latin American History", "Social studies"),
        ("Art History", "Arts and music"),
        ("Marching Band", "Arts and music"),
        ("Homeroom 5B", "Homeroom/advisory"),
        ("Math Intervention", "Interventions/online learning"),
        ("Family and Consumer Science", "other"),
        ("Party Planning", "other"),
        ("Grade 3", "other"),
    ],
)
def test_a_subject_is_assigned_from_a_name(name: str, subject: str) -> None:
    assert keyword_subject(SUBJECT_KEYWORDS, otherwise=SUBJECT_OTHERWISE)(text_series([name])).tolist() == [subject]
