"""Replace rules, from the file that sets them to the trace of a grade that one changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calling import Answer, call

pytestmark = pytest.mark.usefixtures("direct_imports")

FILES = {
    "Schools": "school_id,school_name\ns1,Cedar Hill\n",
    "Students": "grade,school_id,student_id,first_name,last_name\n kindergarten ,s1,p1,Ana,Sato\n01,s1,p2,Ben,Eze\nX,s1,p3,Cy,Ito\n",
    "Teachers": "school_id,teacher_id,first_name,last_name\ns1,t1,Zoe,adams\ns1,t2,Bo,Álvarez\ns1,t3,Al,Adams\n",
    "Sections": "school_id,section_id,teacher_id,course_name,teacher_7_id,teacher_2_id\ns1,c1,t1,Art,t2,t3\ns1,c2,t3,Art,,\n",
    "Enrollments": "school_id,section_id,student_id\ns1,c1,p1\ns1,c1,p2\n",
}
RULES = '[Grade]\nKindergarten = "KG"\nx = ""\n'


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    folder = tmp_path / "upload"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "rules.toml"
    file.write_text(RULES, encoding="utf-8")
    return file


def add(rules: Path, home: Path, *words: str) -> Answer:
    return call("districts", "add", "oak", "--format", "dyknow", "--replacements", rules, *words, "--json", home=home)


def traced(home: Path, table: str, *words: str) -> Answer:
    return call("trace", table, *words, "--district", "oak", home=home)


def test_a_grade_is_traced_to_its_text_its_replacement_and_its_rule(upload: Path, rules: Path, home: Path) -> None:
    add(rules, home)
    imported = call("import", upload, "--district", "oak", "--json", home=home).document
    grades = [traced(home, "student_profiles", f"user_id={user}", "--field", "grade").out for user in ("p1", "p2", "p3")]

    assert [(f["code"], f["count"]) for f in imported["findings"] if f["field"] == "grade" and f["code"] != "trimmed"] == [
        ("replaced", 2)
    ]
    assert "grade = KG" in grades[0]
    assert 'students.grade: " kindergarten ", replaced by "KG" as the district\'s settings say' in grades[0]
    assert 'students.grade: "01"\n' in grades[1]
    assert 'students.grade: "X", replaced by nothing as the district\'s settings say' in grades[2]


def test_a_trace_knows_the_rules_of_its_own_import(upload: Path, rules: Path, home: Path) -> None:
    add(rules, home)
    call("import", upload, "--district", "oak", home=home)
    rules.write_text('[grade]\nkindergarten = "PK"\n', encoding="utf-8")
    add(rules, home, "--update")
    call("import", upload, "--district", "oak", "--option", "update_threshold_pct=100", home=home)
    words = ("trace", "student_profiles", "user_id=p1", "--district", "oak", "--field", "grade", "--json")
    versions = call(*words, home=home).document["versions"]

    assert [version["fields"]["grade"]["reads"][0]["replaced"] for version in versions] == ["KG", "PK"]


def test_an_archived_upload_is_read_by_the_rules_of_today(upload: Path, rules: Path, home: Path) -> None:
    call("districts", "add", "oak", "--format", "dyknow", home=home)
    first = call("import", upload, "--district", "oak", "--json", home=home).document
    add(rules, home, "--update")
    again = call("rerun", "--district", "oak", "--json", home=home).document

    assert [f["row"] for f in first["findings"] if f["code"] == "bad_value"] == [2, 4]
    assert "bad_value" not in {f["code"] for f in again["findings"]}
    assert again["changes"]["student_profiles"]["updated"] == 1


def test_rules_are_kept_until_others_are_named(rules: Path, home: Path) -> None:
    add(rules, home)
    changed = call("districts", "add", "oak", "--format", "dyknow", "--path", "/in", "--update", "--json", home=home)
    (rules.parent / "none.toml").touch()
    cleared = add(rules.parent / "none.toml", home, "--update")

    assert changed.document["feeds"][0]["replacements"] == {"Grade": {"Kindergarten": "KG", "x": ""}}
    assert cleared.document["feeds"][0]["replacements"] == {}


@pytest.mark.parametrize(
    ("text", "code", "problem"),
    [
        ('[grde]\nK = "KG"', "bad_replacements", '"grde" is no column of the format'),
        ('[student_id]\n1 = "2"', "bad_replacements", '"student_id" cannot be replaced'),
        ("[grade]\nK = 1", "bad_words", "must be tables of texts"),
        ('K = "KG"', "bad_words", "must be tables of texts"),
        ("grade", "bad_words", "is not a TOML file"),
    ],
)
def test_rules_that_cannot_be_are_refused_when_they_are_set(rules: Path, home: Path, text: str, code: str, problem: str) -> None:
    rules.write_text(text, encoding="utf-8")
    answer = add(rules, home)

    assert (answer.code, answer.document["error"]["code"]) == (2, code)
    assert problem in answer.document["error"]["message"]
    assert not (home / "districts" / "oak.toml").exists()


def test_a_file_of_rules_that_is_not_there_is_a_slip_of_the_pen(home: Path, tmp_path: Path) -> None:
    answer = add(tmp_path / "none.toml", home)

    assert (answer.code, answer.document["error"]["code"]) == (2, "bad_words")


def test_a_column_that_is_none_stops_import_and_check_and_shows_in_the_doctor(upload: Path, rules: Path, home: Path) -> None:
    add(rules, home)
    file = home / "districts" / "oak.toml"
    file.write_text(file.read_text("utf-8").replace("replacements.Grade", "replacements.Garde"), encoding="utf-8")
    imported = call("import", upload, "--district", "oak", "--json", home=home)
    checked = call("check", upload, "--district", "oak", "--json", home=home)
    looked = call("doctor", "--district", "oak", home=home)

    for answer in (imported, checked):
        assert (answer.code, answer.document["error"]["code"]) == (2, "bad_replacements")
    assert call("imports", "--district", "oak", "--json", home=home).document == []
    assert looked.code == 1
    assert 'WRONG  oak/dyknow options: replacements of the feed in format dyknow: "Garde" is no column' in looked.out


def test_the_doctor_counts_rules(rules: Path, home: Path) -> None:
    add(rules, home)

    assert "ok     oak/dyknow options: 2 replacements for Grade" in call("doctor", "--district", "oak", home=home).out


def test_the_teachers_of_a_section_are_listed_in_the_order_of_the_alphabet(upload: Path, home: Path) -> None:
    call("import", upload, "--district", "oak", "--format", "dyknow", home=home)
    document = call("trace", "sections", "section_id=c1", "--district", "oak", "--json", home=home).document

    assert traced(home, "sections", "section_id=c1").out.endswith("\nteachers now: Al Adams, Zoe adams, Bo Álvarez\n")
    assert [(teacher["user_id"], teacher["is_primary"]) for teacher in document["teachers"]] == [
        ("t3", None),
        ("t1", None),
        ("t2", None),
    ]
    assert "teachers" not in call("trace", "users", "user_id=t1", "--district", "oak", "--json", home=home).document


def test_a_section_that_is_gone_has_no_teachers(upload: Path, home: Path) -> None:
    call("import", upload, "--district", "oak", "--format", "dyknow", home=home)
    sections = upload / "Sections.csv"
    sections.write_text(sections.read_text("utf-8").rpartition("s1,c2")[0], encoding="utf-8")
    call("import", upload, "--district", "oak", home=home)

    assert "teachers" not in traced(home, "sections", "section_id=c2").out
