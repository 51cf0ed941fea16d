"""Rows that are refused because the record that they point to was refused name that row."""

from __future__ import annotations

from roster_etl.frames.similar_ids import SIMILAR
from tests.vendors.canvas.folding import District

FILES = {
    "accounts": "account_id,parent_account_id,name,status\nA,X,D,active",
    "courses": "course_id,short_name,long_name,account_id,status\nC1,ART,Art,A,active",
    "sections": "section_id,course_id,name,status\nS1,C1,One,active",
    "users": "user_id,login_id,status\n!U1,,active\nU2,bob,active",
    "enrollments": "section_id,user_id,role,status\nS1,U2,student,active\nS1,U1,student,active\nS1,U9,student,active",
    "groups_membership": "group_id,user_id,status\nG1,U1,accepted",
}


def test_every_refusal_names_the_row_that_it_follows_from() -> None:
    found = District().upload(FILES).findings.to_pylist()

    causes = {(f["file"], f["row"]): (f["cause_file"], f["cause_row"]) for f in found}
    assert causes == {
        ("accounts.csv", 2): (None, None),
        ("courses.csv", 2): ("accounts.csv", 2),
        ("sections.csv", 2): ("courses.csv", 2),
        ("enrollments.csv", 2): ("sections.csv", 2),
        ("enrollments.csv", 3): ("users.csv", 2),
        ("enrollments.csv", 4): (None, None),
        ("groups_membership.csv", 2): (None, None),
    }


def test_messages_hold_no_cell_and_keys_are_masked() -> None:
    district = District()
    district.upload({"users": "user_id,login_id,status\nU1,ann.secret@example.org,active"})
    folded = district.upload({"users": "user_id,login_id,status\nlong-user-id-77,ANN.secret@example.org,active"})

    (finding,) = folded.findings.to_pylist()
    assert (finding["code"], finding["key"]) == ("login_taken", "l••••••••••••77")
    assert finding["message"] == (
        "Another user has this login. If it is the same person under a new id, say so in change_sis_id.csv, or set the option "
        "update_sis_id_if_login_claimed=true."
    )
    assert "secret" not in finding["message"].lower()


def test_the_row_of_the_upload_that_has_the_login_or_the_integration_id_is_named() -> None:
    users = "user_id,login_id,integration_id,status\nU1,ann,I1,active\nU2,ANN,I2,active\nU3,bob,I1,active"
    found = District().upload({"users": users}).findings.to_pylist()

    assert [(f["code"], f["row"]) for f in found] == [("login_taken", 3), ("integration_id_taken", 4)]
    assert all("That is row 2 of users.csv, which stands." in f["message"] for f in found)


def test_an_id_that_differs_only_by_zeros_or_case_from_a_known_one_is_told() -> None:
    files = {
        "accounts": "account_id,parent_account_id,name,status\n007,,D,active",
        "courses": "course_id,short_name,long_name,account_id,status\nc1,ART,Art,7,active",
        "users": "user_id,login_id,status\nU1,ann,active",
        "enrollments": "course_id,user_id,role,status\nC1,u1,student,active\nC1,X9,student,active",
    }
    messages = {(f["file"], f["row"]): f["message"] for f in District().upload(files).findings.to_pylist()}

    alike = [place for place, message in messages.items() if message.endswith(SIMILAR)]
    assert alike == [("courses.csv", 2), ("enrollments.csv", 2)]


def test_a_refused_row_goes_to_the_quarantine_as_it_was_sent() -> None:
    folded = District().upload({"enrollments": "section_id,user_id,role,status,notify\nS1,U9,student,active,yes"})

    (line,) = folded.quarantine.to_pylist()
    assert line == {
        "file": "enrollments.csv",
        "row": 2,
        "code": "unknown_reference",
        "record": '{"section_id": "S1", "user_id": "U9", "role": "student", "status": "active", "notify": "yes"}',
    }
