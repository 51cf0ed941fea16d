"""Rows that are refused because the record that they point to was refused name that row."""

from __future__ import annotations

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
    assert "secret" not in finding["message"].lower()


def test_a_refused_row_goes_to_the_quarantine_as_it_was_sent() -> None:
    folded = District().upload({"enrollments": "section_id,user_id,role,status,notify\nS1,U9,student,active,yes"})

    (line,) = folded.quarantine.to_pylist()
    assert line == {
        "file": "enrollments.csv",
        "row": 2,
        "code": "unknown_reference",
        "record": '{"section_id": "S1", "user_id": "U9", "role": "student", "status": "active", "notify": "yes"}',
    }
