"""Taking one person out of a file's bytes."""

from __future__ import annotations

import pytest

from roster_etl.engine.csv.erase_person import PersonIdentifiers, erase_person, erase_person_lines

PERSON = PersonIdentifiers(ids=frozenset({"s1"}), values=frozenset({"ann@example.org", "ann lee"}))


def test_a_record_of_the_person_keeps_its_commas_and_the_rest_its_bytes() -> None:
    content = b'\xef\xbb\xbfId,Name\r\n\r\ns1,"Lee\r\n, ""Ann"""\r\ns2,M\xc3\xbcller\r\n'

    scrubbed = erase_person(content, PERSON, own_columns={0}, mention_columns=set())

    assert scrubbed.content == b"\xef\xbb\xbfId,Name\r\n\r\n,\r\ns2,M\xc3\xbcller\r\n"
    assert scrubbed.rows == (2,)


@pytest.mark.parametrize("cell", ["s1", '"s1"', "s1 ", "\u2003s1\u3000", '"\x85s1\u2028"', "\ufeffs1"])
def test_an_id_is_found_as_it_is_read(cell: str) -> None:
    assert (
        erase_person(f"Id,Name\n{cell},x\n".encode(), PERSON, own_columns={0}, mention_columns=set()).content == b"Id,Name\n,\n"
    )


def test_an_id_with_a_separator_at_its_edge_is_another_one_as_it_is_read() -> None:
    content = b'Id,Others\ns1\x1f,x\ns2,"s1\x1f,s3"\ns1,"s1,s3"\n'
    person = PersonIdentifiers(ids=frozenset({"s1\x1f"}))

    erased = erase_person(content, person, own_columns={0}, mention_columns={1}, list_columns={1})

    assert erased.content == b'Id,Others\n,\ns2,"s3"\ns1,"s1,s3"\n'


def test_a_cell_that_names_the_person_is_emptied_alone() -> None:
    content = b"Section,Teacher,Other\nx,s1,s2\ny,s2,s1\n"

    assert (
        erase_person(content, PERSON, own_columns=set(), mention_columns={1}).content
        == b"Section,Teacher,Other\nx,,s2\ny,s2,s1\n"
    )


def test_what_tells_the_person_is_emptied_in_any_cell() -> None:
    content = b"School,Principal,Mail\n1,ANN LEE,ann@example.org\n2,Ann Leeds,\n"

    assert (
        erase_person(content, PERSON, own_columns=set(), mention_columns=set()).content
        == b"School,Principal,Mail\n1,,\n2,Ann Leeds,\n"
    )


def test_a_record_of_one_cell_stays_a_record() -> None:
    assert erase_person(b"Id\ns1\ns2\n", PERSON, own_columns={0}, mention_columns=set()).content == b'Id\n""\ns2\n'


def test_another_encoding_is_kept() -> None:
    content = "Id,Name\ns1,Ä\ns2,Ö\n"

    for encoding in ("cp1252", "utf-16"):
        scrubbed = erase_person(content.encode(encoding), PERSON, own_columns={0}, mention_columns=set(), encoding=encoding)
        assert scrubbed.content.decode(encoding) == "Id,Name\n,\ns2,Ö\n"


def test_lines_of_a_damaged_file_are_emptied_as_a_whole() -> None:
    person = PersonIdentifiers(ids=frozenset({"id-4711"}))

    assert erase_person_lines(b'Id,Name\nid-4711,"Lee\nid-47112,x\n', person) == b"Id,Name\n,\nid-47112,x\n"


def test_of_a_list_only_the_persons_item_goes() -> None:
    person = PersonIdentifiers(ids=frozenset({"p1"}))
    content = b'id,agents\na,"p1,p2"\nb,p1\nc,"p11, p1"\nd,p2\n'
    erased = erase_person(content, person, own_columns={0}, mention_columns={1}, list_columns={1})

    assert erased.content == b'id,agents\na,"p2"\nb,\nc,"p11"\nd,p2\n'
    assert erased.rows == (2, 3, 4)
