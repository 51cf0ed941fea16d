"""Facts about taking secret columns out of bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roster_etl.engine.csv import redact_columns
from roster_etl.engine.csv.reader import read_csv
from roster_etl.engine.csv.redact_columns import blank_cells, blank_columns, hides_key, is_secret_name
from tests.engine.readings import reading


def is_password(name: str) -> bool:
    return "password" in name.lower()


@pytest.mark.parametrize(
    "name",
    [
        "Pass word", "PASS_WORD", "Initial-Password", "Password2", "Pasword", "ext.Pasword", "Passwrod", "Paßwort", "kennwort",
        "Contraseña", "Student Passcode", "passphrase", "passwd", "user.pwd", "pw", "PIN", "Lunch_PIN", "userPin", "Secret",
        "student pass", "P\u200bassword", "\ufeffpassword", "Ｐａｓｓｗｏｒｄ", "Раsswоrd", "pin\x00",
    ],
)  # fmt: skip
def test_a_name_that_looks_like_a_passwords_is_secret(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["", "Passport", "Compass", "Pinewood", "Secretary", "Spin", "Homework", "User_name", "Period"])
def test_a_name_that_only_resembles_one_is_not(name: str) -> None:
    assert not is_secret_name(name, ["Password"])


def test_a_misspelling_of_a_declared_secret_is_one() -> None:
    assert is_secret_name("Login_kode", ["Login_code"])
    assert not is_secret_name("Login_kode")


def test_only_the_values_of_secret_columns_go() -> None:
    content = b'\xef\xbb\xbfid,Password,note\r\n1,s3cret,"x, y"\r\n\r\n2,"s3,""cret\n",\n3,,z'

    assert blank_columns(content, is_password) == b'\xef\xbb\xbfid,Password,note\r\n1,,"x, y"\r\n\r\n2,,\n3,,z'


@pytest.mark.parametrize(
    ("content", "blanked"),
    [
        (b"password,id\nsecret,1\n", b"password,id\n,1\n"),
        (b"id,password\n1,secret", b"id,password\n1,"),
        (b"password\nsecret\n", b'password\n""\n'),
        (b"password,id,old password\na,1,b\n", b"password,id,old password\n,1,\n"),
    ],
)
def test_secrets_may_stand_anywhere_and_no_record_is_lost(content: bytes, blanked: bytes) -> None:
    assert blank_columns(content, is_password) == blanked


@pytest.mark.parametrize("content", [b"", b"id,name\n1,x\n", b"id,password\n1,\n2,\n"])
def test_a_file_without_secrets_is_returned_itself(content: bytes) -> None:
    assert blank_columns(content, is_password) is content


@pytest.mark.parametrize("content", [b'id,password\n1,"x\n', b'id"x,password\n1,x\n', b"id,pass\xffword\n1,x\n", b"PK\x03\x04"])
def test_secrets_that_cannot_be_located_are_no_bytes_to_keep(content: bytes) -> None:
    assert blank_columns(content, is_password) is None


def test_under_a_line_that_is_no_header_nobody_knows_where_the_secrets_are() -> None:
    assert blank_columns(b"Students of 2026\nid,password\n1,x\n", is_password, is_header=lambda names: "id" in names) is None
    assert blank_columns(b"", is_password, is_header=lambda _: False) == b""


@pytest.mark.parametrize(
    ("row", "left"),
    [
        (b"1,Ann,x,secret,z", b"1,Ann,blanked,,"),
        (b"1,Ann,secret", b"1,blanked,"),
        (b"1,,secret", b"1,,blanked"),
        (b"secret", b"blanked"),
        (b"1,Ann", b"blanked,"),
        (b'"",""', b"blanked,"),
        (b",", b","),
        (b'1,A"n"n,secret,z', b'1,A"n"n,blanked "".,'),
        (b'1,"Ann",A"secret,z', b'1,"Ann",blanked "".,'),
        (b'1,An",s"ecret,z', b'1,An",blanked ".,'),
    ],
)
def test_in_a_damaged_record_all_that_may_be_secret_goes(row: bytes, left: bytes) -> None:
    head = b"id,name,password,note\n"

    assert blank_columns(head + row + b"\n1,b,c,d\n", is_password) == head + left + b"\n1,b,,d\n"


@pytest.mark.parametrize("row", [b"1,Ann", b"s", b"1,Ann,x,s,y,z", b'1,Ann,s"x,y', b'1,A"n,s"x"y"z,y', b'A"nn,s",x,', b'"",""'])
def test_a_damaged_record_stays_a_damaged_record(row: bytes) -> None:
    content = b"id,name,password,note\n" + row + b"\n1,b,c,d\n"
    blanked = blank_columns(content, is_password)

    assert blanked is not None
    assert reading(blanked).refused_records == reading(content).refused_records != {}
    assert blank_columns(blanked, is_password) == blanked


def test_a_record_of_which_the_key_was_emptied_may_be_about_anybody() -> None:
    header = ("id", "name", "password", "note")

    assert hides_key(blank_cells(("1", "Ann"), header, is_password), header, ("id",))
    assert not hides_key(blank_cells(("1", "Ann", "secret"), header, is_password), header, ("id",))
    assert hides_key(blank_cells(("1", "Ann", "secret"), header, is_password), header, ("id", "name"))


@pytest.mark.parametrize("again", [b"id,Password", b'"id","Password"'])
def test_a_repeated_header_stays_one(again: bytes) -> None:
    blanked = blank_columns(b"id,Password\n1,x\n" + again + b"\n2,Password\n", is_password)

    assert blanked == b"id,Password\n1,\n" + again + b"\n2,\n"


def test_a_legacy_encoding_stays_as_it_is() -> None:
    for encoding in ("cp1252", "utf-16"):
        content, blanked = "id,password,é\n1,ñ,ü\n".encode(encoding), "id,password,é\n1,,ü\n".encode(encoding)

        assert blank_columns(content, is_password, encoding=encoding) == blanked
        assert blank_columns(blanked, is_password, encoding=encoding) is blanked


def test_an_encoding_that_does_not_come_back_the_same_is_no_bytes_to_keep() -> None:
    content = b"\xfe\xff" + "id,password\n1,x\n".encode("utf-16-be")

    assert blank_columns(content, is_password, encoding="utf-16") is None


def test_the_cells_of_a_damaged_record_are_emptied_by_the_same_rule() -> None:
    header = ("id", "name", "password", "note")

    assert blank_cells(("1", "Ann", "secret"), header, is_password) == ("1", "blanked", "")
    assert blank_cells(("1", "Ann", "secret"), ("id", "name"), is_password) == ("1", "Ann", "secret")


@settings(max_examples=100, deadline=None)
@given(lines=st.lists(st.text(alphabet='ab,"\n', max_size=8), max_size=8))
def test_a_blanked_file_reads_as_before_but_for_the_secrets(lines: list[str]) -> None:
    content = ("id,password,note\n" + "\n".join(lines)).encode()
    blanked = blank_columns(content, is_password)
    before = read_csv(content)

    if blanked is None:
        assert before.refused == "malformed_csv"
    elif before.refused is None:
        after = reading(blanked)
        sound = {row: (cells[0], None, cells[2]) for row, cells in reading(content).records.items() if cells[0] or cells[2]}
        assert (after.header, after.rows_read) == (before.header, before.rows_read)
        assert after.records == sound


def test_secrets_are_cut_out_some_at_a_time_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"id,Password\n" + b"".join(b"%d,pa55wor%d\n" % (n, n) for n in range(5)) + b"id,PASSWORD\n9,x\n"
    expected = blank_columns(content, is_password)
    monkeypatch.setattr(redact_columns, "_CUTS", 2)

    assert blank_columns(content, is_password) == expected
    assert expected == b"id,Password\n0,\n1,\n2,\n3,\n4,\nid,PASSWORD\n9,\n"
