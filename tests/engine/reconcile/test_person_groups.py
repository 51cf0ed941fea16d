"""People are joined by what rules and stewards name, never against each other, and keep their IDs."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from roster_etl.canonical.people import DECISION
from roster_etl.engine.reconcile.person_groups import (
    DefaultPersonIds,
    PersonLink,
    PersonRecord,
    UserIdChange,
    join,
    ordered,
    with_person_id,
)

OWN = DefaultPersonIds("lincoln", {})
A1, A2 = PersonRecord("canvas", "user", "1"), PersonRecord("canvas", "user", "2")
B1, B2 = PersonRecord("clever", "student", "1"), PersonRecord("clever", "student", "2")
C1, C2 = PersonRecord("dyknow", "student", "1"), PersonRecord("dyknow", "student", "2")


def link(one: PersonRecord, other: PersonRecord, rule: str = "state_id", **more: object) -> PersonLink:
    a, b = ordered(one, other)
    return PersonLink(a=a, b=b, rule=rule, **more)  # type: ignore[arg-type]


def joined(
    *links: PersonLink,
    apart: Iterable[tuple[PersonRecord, PersonRecord]] = (),
    gone: Iterable[PersonRecord] = (),
    first: dict[PersonRecord, int] | None = None,
) -> dict[tuple[PersonRecord, PersonRecord], tuple[str, str | None]]:
    people = join(links, {ordered(*two) for two in apart}, set(gone), OWN)
    return {one.pair: (one.verdict, one.person_id) for person in people for one in with_person_id(person, first or {}, OWN)}


def test_a_person_has_the_id_of_the_record_that_was_known_first() -> None:
    assert joined(link(A1, B1), link(B1, C1), first={A1: 7, B1: 3, C1: 3}) == {
        (A1, B1): ("same", OWN[B1]),
        (B1, C1): ("same", OWN[B1]),
    }


def test_an_id_stays_while_its_record_is_linked_and_is_never_that_of_somebody_else() -> None:
    held = {"person_id": OWN[A1], "number": 4}

    assert joined(link(A1, B1, **held), link(B1, C1), first={A1: 9, B1: 1, C1: 1})[B1, C1] == ("same", OWN[A1])
    assert joined(link(B1, C1, **held), first={B1: 2, C1: 1}) == {(B1, C1): ("same", OWN[C1])}


def test_no_id_reads_as_a_reused_id_with_an_import() -> None:
    own = DefaultPersonIds("lincoln", {"canvas": [UserIdChange(old="1", new="9", user_kind=None, import_id=7)]})

    assert own[PersonRecord("canvas", "user", "1")] != own[PersonRecord("canvas", "user", "1\x1f7")]


def test_two_current_records_of_a_feed_are_not_joined() -> None:
    found = joined(link(A1, B1), link(A1, C1), link(B2, C1))

    assert set(found.values()) == {("contradiction", None)}
    assert joined(link(A1, B1), link(A1, B2), gone=[B1], first={B1: 1})[A1, B2] == ("same", OWN[B1])


def test_what_a_steward_decided_stays_and_rules_give_way() -> None:
    found = joined(link(A1, B1, DECISION), link(A1, C1), link(B2, C1))
    assert found[A1, B1][0] == "same"
    assert found[A1, C1] == found[B2, C1] == ("contradiction", None)

    assert joined(link(A1, A2, DECISION), link(A1, B1))[A1, B1][0] == "same"  # a steward may say that one feed has somebody twice
    assert joined(link(A1, B1), link(B1, C1), apart=[(A1, C1)])[A1, B1] == ("contradiction", None)


def test_an_id_change_keeps_the_person_and_a_reused_id_is_somebody_else() -> None:
    own = DefaultPersonIds("lincoln", {"canvas": [UserIdChange(old="1", new="2", user_kind=None, import_id=5)]})
    assert own[A2] == OWN[A1]
    assert own[A1] not in (OWN[A1], OWN[A2])

    back = UserIdChange(old="2", new="1", user_kind="user", import_id=8)
    own = DefaultPersonIds("lincoln", {"canvas": [UserIdChange(old="1", new="2", user_kind=None, import_id=5), back]})
    assert own[A1] == OWN[A1]
    assert (
        DefaultPersonIds("lincoln", {"canvas": [back]})[PersonRecord("canvas", "teacher", "1")]
        == OWN[PersonRecord("canvas", "teacher", "1")]
    )


RECORDS = [A1, A2, B1, B2, C1, C2]
PAIRS = (
    st.tuples(st.sampled_from(RECORDS), st.sampled_from(RECORDS))
    .filter(lambda two: two[0] != two[1])
    .map(lambda two: ordered(*two))
)


@given(
    st.dictionaries(PAIRS, st.sampled_from(["state_id", DECISION]), max_size=7),
    st.sets(PAIRS, max_size=2),
    st.sets(st.sampled_from(RECORDS)),
)
def test_nobody_is_two_people_and_no_two_people_have_one_id(
    pairs: dict[tuple[PersonRecord, PersonRecord], str], apart: set[tuple[PersonRecord, PersonRecord]], gone: set[PersonRecord]
) -> None:
    links = [link(*two, rule) for two, rule in pairs.items() if two not in apart]
    found = joined(*links, apart=apart, gone=gone, first={record: number for number, record in enumerate(RECORDS)})

    assert set(found) == {one.pair for one in links}
    people: dict[str, set[PersonRecord]] = {}
    for (a, b), (verdict, person) in found.items():
        assert (verdict == "same") == (person is not None)
        people.setdefault(person or "", set()).update((a, b) if person else ())
    members = [record for person, records in people.items() if person for record in records]
    assert len(members) == len(set(members))
    decided = {record for two, rule in pairs.items() if rule == DECISION for record in two}
    for person, records in people.items():
        assert not person or person in {OWN[record] for record in records}
        for one, other in ((a, b) for a in records for b in records if a < b):
            if {one, other} & decided:
                continue
            assert one.source != other.source or one in gone or other in gone
            assert (one, other) not in apart
