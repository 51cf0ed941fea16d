"""CatapultCONNECT's specs against the document's own lists, and bad input that only this format knows."""

from __future__ import annotations

import pytest

from roster_etl.canonical.codes import GRADES as CEDS
from roster_etl.engine.csv.header_match import match_header
from roster_etl.vendors.catapult_connect import FORMAT, VENDOR
from roster_etl.vendors.catapult_connect.codes import GRADES
from tests.walking import accepted, found, judge, judge_upload, lines, map_upload

# The document's columns in its order; required ones stand before the bar.
HEADERS = {
    "StaffExport.csv": "ID School Name.First Name.Last Email Title | Mobile_number",
    "StudentExport.csv": "ID School Name.First Name.Last | MobileNumber Email ContactNamePrimary ContactPhonePrimary "
    "ContactEmailPrimary ContactNameSecondary ContactPhoneSecondary ContactEmailSecondary ZipCode Grade BusRoute LunchBalance "
    "PrimaryLanguage PreferredContactMethod",
    "StaffToStudentExport.csv": "School Teacher Student Period Name | Course_number Section_number",
    "AttendanceExport.csv": "School Student Period Absence.code | Teacher.name Date",
}
# The header of an older article, and other spellings that the document itself has in other files.
PUBLISHED = {
    "staff": ("id,school,nameFirst,nameLast,email,mobileNumber,title", "ID,site,NAME_FIRST,name.last,Email,Title,mobile.number"),
    "students": ("id,school,nameFirst,nameLast,Mobile_number,email",),
    "staff_to_student": ("school,teacher,student,period,name,courseNumber,sectionNumber",),
    "attendance": ("school,student,period,absenceCode,teacherName,date",),
    "schools": ("SchoolSiteName,Address,PhoneNumber,MergeWithSiteID",),
}
STAFF = "ID,School,Name.First,Name.Last,Email,Title"
UPLOAD = {
    "staff": lines(STAFF, "9,10,Mei,Sato,mei@example.org,Teacher"),
    "students": lines("ID,School,Name.First,Name.Last", "1,10,Ana,Reed"),
}
CLASSES = "School,Teacher,Student,Period,Name"


@pytest.mark.parametrize("name", HEADERS)
def test_a_file_has_the_columns_of_the_document_in_its_order(name: str) -> None:
    file = next(file for file in FORMAT.files if file.file_name == name)
    required, optional = (part.split() for part in HEADERS[name].split("|"))

    assert [column.name for column in file.columns] == [*required, *optional]
    assert [column.name for column in file.columns if column.required] == required


def test_the_site_file_has_its_four_columns_and_is_given_once() -> None:
    file = FORMAT.file("schools")

    assert [column.name for column in file.columns] == ["School Site Name", "Address", "Phone Number", "Merge with Site ID"]
    assert (file.carried_forward, file.required) == (True, False)


def test_staff_students_and_classes_are_the_core_of_an_upload() -> None:
    assert {file.file_name for file in FORMAT.files if file.required} >= {
        "StaffExport.csv",
        "StudentExport.csv",
        "StaffToStudentExport.csv",
    }


@pytest.mark.parametrize(("name", "header"), [(name, header) for name, headers in PUBLISHED.items() for header in headers])
def test_every_published_spelling_and_order_is_read(name: str, header: str) -> None:
    result = match_header(header.split(","), FORMAT.file(name), fixed_order=FORMAT.fixed_column_order)

    assert (result.refused, result.findings) == (None, ())
    assert len(result.positions) == header.count(",") + 1


@pytest.mark.parametrize("header", ["School,ID,Name.First,Name.Last,Email,Title", "ID,School,Name.Last,Name.First,Email,Title"])
def test_another_order_refuses_the_file(header: str) -> None:
    result = judge(FORMAT.file("staff"), lines(header, "9,10,a,b,c@example.org,d"), fixed_order=True)

    assert result.refused == "column_order"
    assert found(result) == [("file", "column_order", None, None)]


def test_a_left_out_optional_column_is_no_other_order() -> None:
    header = "ID,School,Name.First,Name.Last,ContactPhonePrimary,Grade"

    assert match_header(header.split(","), FORMAT.file("students"), fixed_order=True).refused is None


def test_every_grade_has_a_code_of_ceds() -> None:
    assert set(GRADES.values()) <= set(CEDS)


@pytest.mark.parametrize(("text", "grade"), [("k", "KG"), ("0", "KG"), ("00", "KG"), ("9", "09"), ("prek", "PK"), ("TK", "TK")])
def test_grades_are_read_as_systems_write_them(text: str, grade: str) -> None:
    students = lines("ID,School,Name.First,Name.Last,Grade", f"1,10,Ana,Reed,{text}")
    made = map_upload(VENDOR, UPLOAD | {"students": students})["student_profiles"]

    assert [row["grade"] for row in accepted(made.table)] == [grade]


@pytest.mark.parametrize("phone", ["5552345678", "(555) 234-5678", "555.234.5678", "555 234 5678"])
def test_punctuation_of_a_phone_is_free(phone: str) -> None:
    staff = lines(f"{STAFF},Mobile_number", f"9,10,Mei,Sato,mei@example.org,Teacher,{phone}")
    made = map_upload(VENDOR, UPLOAD | {"staff": staff})["users"]

    assert [row["phone"] for row in accepted(made.table) if row["user_kind"] == "staff"] == ["5552345678"]


@pytest.mark.parametrize("phone", ["234-5678", "15552345678", "555-234-5678 x12", "ask"])
def test_a_phone_of_other_than_ten_digits_is_left_empty(phone: str) -> None:
    staff = lines(f"{STAFF},Mobile_number", f"9,10,Mei,Sato,mei@example.org,Teacher,{phone}")

    assert [f[:2] for f in found(judge(FORMAT.file("staff"), staff))] == [("warning", "bad_phone")]


def test_ids_and_school_codes_are_told_apart_by_case() -> None:
    classes = lines(CLASSES, "10,9,1,1,Math", "10,9,A1,1,Math")
    students = lines("ID,School,Name.First,Name.Last", "1,10,Ana,Reed", "a1,10,Ben,Null")
    result = judge_upload(VENDOR, UPLOAD | {"students": students, "staff_to_student": classes})["staff_to_student"]

    assert found(result) == [("reject", "unknown_reference", 3, "Student")]


@pytest.mark.parametrize("title", ["Teacher", "Instructor", "teacher", "Principal"])
def test_a_title_gives_no_other_role(title: str) -> None:
    staff = lines(STAFF, f"9,10,Mei,Sato,mei@example.org,{title}")
    made = map_upload(VENDOR, UPLOAD | {"staff": staff, "staff_to_student": lines(CLASSES, "10,9,1,1,Math")})

    assert {row["role"] for row in accepted(made["user_roles"].table) if row["user_kind"] == "staff"} == {"staff"}
    assert {row["role"] for row in accepted(made["enrollments"].table) if row["user_kind"] == "staff"} == {"teacher"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("10,9,1,1,Math,M1,1", "20,9,1,1,Math,M1,1"),
        ("10,9,1,1,Math,M1,1", "10,8,1,1,Math,M1,1"),
        ("10,9,1,1,Math,M1,1", "10,9,1,01,Math,M1,1"),
        ("10,9,1,1,Math,M1,1", "10,9,1,1,Math,M2,1"),
        ("10,9,1,1,Math,M1,1", "10,9,1,1,Math,M1,2"),
        ("10,9,1,1,Math,M1,1", "10,9,1,1,Maths,M1,1"),
    ],
)
def test_a_class_is_told_by_all_of_its_columns(one: str, other: str) -> None:
    staff = lines(STAFF, "9,10,Mei,Sato,mei@example.org,Teacher", "8,10,Ben,Null,ben@example.org,Teacher")
    classes = lines(f"{CLASSES},Course_number,Section_number", one, other)
    made = map_upload(VENDOR, UPLOAD | {"staff": staff, "staff_to_student": classes})["sections"]

    assert len(accepted(made.table)) == 2
