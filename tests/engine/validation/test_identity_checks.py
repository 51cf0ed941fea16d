"""Rows under one id that describe different records: which stand, on a first day and beside a published roster."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pyarrow as pa
import pytest

from roster_etl.engine.validation.identity_checks import KNOWN, PublishedRecords
from roster_etl.engine.validation.validate import ReferencedFile, ValidatedFile
from roster_etl.frames.arrow import REFUSED
from roster_etl.spec import (
    Column,
    Date,
    DateTime,
    Email,
    File,
    Identity,
    ListOf,
    Reference,
    RepeatedRows,
    RowChanges,
    RowCondition,
    SelfReference,
    SharedIds,
    Status,
    Unique,
)
from tests.walking import found, judge, lines, rows

IDENTITY = Identity(columns=("First", "Last", "Born", "Mail"))
COLUMNS = (
    Column(name="Id", required=True),
    Column(name="First", required=True),
    Column(name="Last"),
    Column(name="Born", cell_format=Date(pattern="MM/DD/YYYY")),
    Column(name="Mail", cell_format=Email()),
    Column(name="School"),
    Column(name="Grade"),
    Column(name="Contact"),
)
PUPILS = File(
    name="pupils",
    file_name="pupils.csv",
    title="Pupils",
    source="1",
    key=("Id",),
    columns=COLUMNS,
    identity=IDENTITY,
    repeats=RepeatedRows(columns=("Contact",), first_counts=("School",)),
)
ONCE = File(
    name="pupils",
    file_name="pupils.csv",
    title="Pupils",
    source="1",
    key=("Id",),
    columns=(*COLUMNS, Column(name="Status", cell_format=Status(options=("active", "gone")))),
    identity=IDENTITY,
    deleted=RowCondition(column="Status", values=("gone",)),
)
CLASSES = File(
    name="classes",
    file_name="classes.csv",
    title="Classes",
    source="2",
    key=("Class", "Id"),
    columns=(
        Column(name="Class", required=True),
        Column(name="School"),
        Column(
            name="Id", required=True, references=Reference(file="pupils", column="Id", disambiguated_by=(("School", "School"),))
        ),
        Column(name="Helper", references=Reference(file="pupils", column="Id")),
    ),
)
HEADER = "Id,First,Last,Born,Mail,School,Grade,Contact"
STAYS = "the published record, which stays as it is."


def no_keys() -> pa.Table:
    """Return that the roster has no record of the file."""
    return pa.table({"Id": pa.array([], pa.string())})


def pupils(*people: str, file: File = PUPILS, roster: dict[str, tuple[str | None, ...]] | None = None) -> ValidatedFile:
    """Judge `people` beside a roster: id → First, Last, Born, Mail."""
    return judge(file, lines(HEADER, *people), published=None if roster is None else _published(roster))


def _published(roster: dict[str, tuple[str | None, ...]]) -> PublishedRecords:
    def find(ids: pa.Table) -> pa.Table:
        wanted = ids.column("Id").to_pylist()
        cells = [roster.get(one, (None,) * 4) for one in wanted]
        columns = {name: pa.array([row[at] for row in cells], pa.string()) for at, name in enumerate(IDENTITY.columns)}
        return pa.table({**columns, KNOWN: pa.array([one in roster for one in wanted])})

    return PublishedRecords(find=find, keys=no_keys, comparable=dict.fromkeys(IDENTITY.columns, lambda cells: cells))


def messages(result: ValidatedFile) -> list[str]:
    return [finding["message"] for finding in result.findings.to_pylist() if finding["code"] == "duplicate_key"]


def applied(result: ValidatedFile) -> list[tuple[object, ...]]:
    return [(row["Id"], row["First"], row.get("Contact")) for row in rows(result) if not row[REFUSED]]


def test_another_person_under_a_known_id_is_refused_and_changes_no_cell_of_the_first() -> None:
    result = pupils("1,Ada,Abel,01/02/2014,,A,3,Mum", "1,Bo,Brand,02/02/2012,,B,7,Dad")

    assert found(result) == [("reject", "duplicate_key", 3, "Id")]
    assert messages(result) == ["Row 2 has the same Id and describes another record; that row stands."]
    assert (result.rows_accepted, result.rows_rejected) == (1, 1)
    assert [(row["First"], row["Grade"], row[REFUSED]) for row in rows(result)] == [("Ada", "3", False), ("Bo", "7", True)]


@pytest.mark.parametrize(
    "second",
    [
        "1,Ada,Abel,1/2/2014,,A,3,Dad",
        "1,ADA,abel,,,A,3,Dad",
        "1,Adá,Ábel,,,A,3,Dad",
        "1,Ada,Abel,13/45/2014,ada@example.org,A,3,Dad",
    ],
    ids=["date without zeros", "case and an empty date", "accents", "a broken date"],
)
def test_another_contact_of_the_same_person_is_no_other_person(second: str) -> None:
    result = pupils("1,Ada,Abel,01/02/2014,ada@example.org,A,3,Mum", second)

    assert [row[REFUSED] for row in rows(result)] == [False, False]


@pytest.mark.parametrize("column", IDENTITY.columns)
def test_each_identifying_column_tells_two_people_apart(column: str) -> None:
    person = {"Id": "1", "First": "Ada", "Last": "Abel", "Born": "01/02/2014", "Mail": "ada@example.org", "Contact": "Mum"}
    other = {**person, column: {"Born": "03/04/2015", "Mail": "bo@example.org"}.get(column, "Bo"), "Contact": "Dad"}
    text = lines(",".join(person), ",".join(person.values()), ",".join(other.values()))

    assert found(judge(PUPILS, text)) == [("reject", "duplicate_key", 3, "Id")]


def test_a_further_row_needs_a_value_of_its_own() -> None:
    result = pupils(
        "1,Ada,Abel,,,A,3,Mum", "1,Ada,Abel,,,A,4,", "1,Ada,Abel,,,A,4,Mum", "1,Ada,Abel,,,A,4,Dad", "1,Ada,Abel,,,A,3,"
    )

    assert [(row["Grade"], row.get("Contact"), row[REFUSED]) for row in rows(result)] == [
        ("3", "Mum", False),
        ("4", None, True),
        ("4", "Mum", True),
        ("3", "Dad", False),
        ("3", None, False),
    ]
    assert [(code, row) for _, code, row, _ in found(result)] == [
        ("duplicate_key", 3),
        ("duplicate_key", 4),
        ("conflicting_rows", 5),
    ]


def test_a_second_school_of_the_same_person_is_a_value_of_its_own_and_the_first_counts() -> None:
    result = pupils("1,Ada,Abel,,,A,3,", "1,Ada,Abel,,,B,3,")

    assert found(result) == [("warning", "conflicting_rows", 3, "School")]
    assert [row["School"] for row in rows(result)] == ["A", "A"]


def test_a_row_that_deletes_does_not_shut_out_the_row_of_the_same_person_that_does_not() -> None:
    text = lines("Id,First,Status", "1,Ada,gone", "1,Ada,active", "2,Bo,active", "2,Bo,gone")

    assert found(judge(ONCE, text)) == [("reject", "duplicate_key", 2, "Id"), ("reject", "duplicate_key", 5, "Id")]


def test_a_stranger_that_stands_first_does_not_take_over_a_published_record() -> None:
    result = pupils(
        "1,Bo,Brand,,,B,7,", "1,Ada,Abel,,,A,3,Mum", "1,Ada,Abel,,,A,3,Dad", roster={"1": ("Ada", "Abel", None, None)}
    )

    assert applied(result) == [("1", "Ada", "Mum"), ("1", "Ada", "Dad")]
    assert messages(result) == [
        "Row 3 has the same Id and describes another record; that row agrees with the published record, and stands."
    ]


def test_the_known_person_under_a_new_name_stands_where_most_cells_agree() -> None:
    people = ("1,Bo,Abel,05/05/2012,,B,7,", "1,Ada,Hill,01/02/2014,ada@example.org,A,3,")

    assert applied(pupils(*people, roster={"1": ("Ada", "Abel", "01/02/2014", "ada@example.org")})) == [("1", "Ada", None)]


def test_where_no_row_agrees_with_the_published_record_none_stands() -> None:
    result = pupils("1,Bo,Brand,,,B,7,", "1,Cy,Cole,,,A,3,", roster={"1": ("Ada", "Abel", None, None)})

    assert applied(result) == []
    assert messages(result) == [
        f"Row {other} has the same Id and describes another record; no row agrees with {STAYS}" for other in (3, 2)
    ]


def test_a_broken_row_of_the_known_person_keeps_a_stranger_out() -> None:
    text = lines("Id,First,Last,School", "1,Bo,Brand,B", "1,,Abel,A")
    result = judge(PUPILS, text, published=_published({"1": ("Ada", "Abel", None, None)}))

    assert found(result) == [("reject", "duplicate_key", 2, "Id"), ("reject", "missing_required", 3, "First")]


def test_a_broken_row_that_hides_its_name_keeps_a_stranger_out_too() -> None:
    text = lines("Id,First,Last,School", "1,Bo,Abel,B", "1,,Abel,A")
    result = judge(PUPILS, text, published=_published({"1": ("Ada", "Abel", None, None)}))

    assert found(result) == [("reject", "duplicate_key", 2, "Id"), ("reject", "missing_required", 3, "First")]


def test_an_id_that_went_to_somebody_else_is_taken_as_sent_where_the_rows_agree() -> None:
    text = lines("Id,First,Last,School", "1,Bo,Brand,B", "1,,Brand,B")
    result = judge(PUPILS, text, published=_published({"1": ("Ada", "Abel", None, None)}))

    assert found(result) == [("reject", "missing_required", 3, "First")]


def _classes(people: ValidatedFile, *members: str) -> ValidatedFile:
    others = {"pupils": ReferencedFile(rows=people.rows, file_name="pupils.csv")}
    return judge(CLASSES, lines("Class,School,Id,Helper", *members), others)


def test_a_reference_to_an_id_that_two_people_claim_is_refused_unless_the_school_tells() -> None:
    people = pupils("1,Ada,Abel,,,A,3,", "1,Bo,Brand,,,B,7,", "2,Cy,Cole,,,A,3,")
    result = _classes(people, "c1,A,1,", "c2,B,1,", "c3,C,1,", "c4,,1,", "c5,B,2,1")
    causes = [(f["severity"], f["row"], f["field"], f["cause_file"], f["cause_row"]) for f in result.findings.to_pylist()]

    assert causes == [
        ("reject", 3, "Id", "pupils.csv", 3),
        ("reject", 4, "Id", "pupils.csv", 3),
        ("reject", 5, "Id", "pupils.csv", 3),
        ("warning", 6, "Helper", "pupils.csv", 3),
    ]


def test_two_people_of_one_school_under_one_id_leave_every_reference_ambiguous() -> None:
    people = pupils("1,Ada,Abel,,,A,3,", "1,Bo,Brand,,,A,3,")

    assert found(_classes(people, "c1,A,1,")) == [("reject", "unknown_reference", 2, "Id")]


def test_a_broken_row_of_another_person_makes_a_reference_ambiguous_too() -> None:
    people = judge(PUPILS, lines("Id,First,Last,School", "1,Ada,Abel,A", "1,,Brand,B"))

    assert [(f["row"], f["cause_row"]) for f in _classes(people, "c1,A,1,", "c2,B,1,").findings.to_pylist()] == [(3, 3)]


def test_a_second_row_of_the_same_person_leaves_no_reference_ambiguous() -> None:
    people = judge(ONCE, lines(HEADER, "1,Ada,Abel,,,A,3,", "1,Ada,Abel,,,B,4,"))

    assert found(people) == [("reject", "duplicate_key", 3, "Id")]
    assert found(_classes(people, "c1,B,1,")) == []


@pytest.mark.parametrize("seed", range(20))
def test_the_order_of_rows_decides_neither_who_a_known_id_is_nor_which_rows_are_refused(seed: int) -> None:
    random = Random(seed)
    roster, people = {}, []
    for number in range(12):
        first, last, born = f"F{number}", f"L{number % 5}", f"0{number % 9 + 1}/02/2014"
        roster[str(number)] = (first, last, born, None)
        people += [f"{number},{first},{last},{born},,A,3,c{n}" for n in range(random.randint(0, 3))]
        people += [f"{number},Stranger{n},{last},,,B,7,s{n}" for n in range(random.choice((0, 0, 1, 2)))]
        people += [f"{number},,{last},{born},,A,3,broken"] * random.choice((0, 0, 1))
    outcomes = set()
    for _ in range(4):
        random.shuffle(people)
        result = pupils(*people, roster=roster)
        told = [(row["Id"], str(row.get("First")), str(row.get("Contact")), bool(row[REFUSED])) for row in rows(result)]
        outcomes.add(tuple(sorted(told)))
        present = {one[0] for one in told if not one[1].startswith("Stranger")}
        assert not [one for one in told if one[0] in present and not one[3] and one[1].startswith("Stranger")]

    assert len(outcomes) == 1


MAILED = replace(
    ONCE, columns=tuple(replace(column, unique=Unique()) if column.name == "Mail" else column for column in ONCE.columns)
)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["newcomer first", "newcomer last"])
def test_a_unique_value_stays_with_the_record_that_has_it_in_the_roster(order: tuple[int, int]) -> None:
    people = ["2,Bo,Brand,,ada@example.org,A,3,", "1,Ada,Abel,,ada@example.org,A,3,"]
    result = pupils(*(people[at] for at in order), file=MAILED, roster={"1": ("Ada", "Abel", None, "ada@example.org")})

    assert {row["Id"]: row.get("Mail") for row in rows(result)} == {"1": "ada@example.org", "2": None}
    assert found(result) == [("warning", "id_taken", 2 + order.index(0), "Mail")]


# ── another file with the same ids ──

NAMED = (("Id", "Id"), ("First", "Given"), ("Last", "Family"))
HELPERS = File(
    name="helpers",
    file_name="helpers.csv",
    title="Helpers",
    source="1",
    key=("Id", "School"),
    columns=tuple(Column(name=name, required=name != "School") for name in ("Id", "First", "Last", "School")),
    identity=Identity(key=("Id",), columns=("First", "Last"), shared=SharedIds(file="guests", columns=NAMED)),
)
GUESTS = File(
    name="guests",
    file_name="guests.csv",
    title="Guests",
    source="2",
    key=("Id", "Site"),
    columns=tuple(Column(name=name, required=name != "Site") for name in ("Id", "Given", "Family", "Site")),
    identity=Identity(
        key=("Id",),
        columns=("Given", "Family"),
        shared=SharedIds(file="helpers", columns=tuple((there, own) for own, there in NAMED), first=True),
    ),
)
PUBLISHED_GUEST = PublishedRecords(
    find=lambda ids: pa.table({"Given": ["Bob"] * len(ids), "Family": ["Bell"] * len(ids), KNOWN: [True] * len(ids)}),
    keys=no_keys,
    comparable=dict.fromkeys(("Given", "Family"), lambda cells: cells),
)
PUBLISHED_HELPER = PublishedRecords(
    find=lambda ids: pa.table({"First": ["Bob"] * len(ids), "Last": ["Bell"] * len(ids), KNOWN: [True] * len(ids)}),
    keys=no_keys,
    comparable=dict.fromkeys(("First", "Last"), lambda cells: cells),
)


def both(helpers: str, guests: str, *, known: bool = False) -> tuple[ValidatedFile, ValidatedFile]:
    """Judge a row of each file as the steps do: the later file once alone, for the earlier one, and then beside it."""
    first, later = lines("Id,First,Last,School", helpers), lines("Id,Given,Family,Site", guests)
    alone = judge(replace(GUESTS, identity=None), later)
    of_helpers = judge(HELPERS, first, _beside(alone, "guests"), published=PUBLISHED_HELPER if known else None)
    of_guests = judge(GUESTS, later, _beside(of_helpers, "helpers"), published=PUBLISHED_GUEST if known else None)
    return of_helpers, of_guests


def _beside(result: ValidatedFile, name: str) -> dict[str, ReferencedFile]:
    return {name: ReferencedFile(rows=result.rows, file_name=f"{name}.csv")}


def test_two_people_under_one_id_in_two_files_stay_apart_and_the_file_that_counts_first_stands() -> None:
    helpers, guests = both("1,Ann,Abel,A", "1,Bob,Bell,B")

    assert found(helpers) == []
    assert found(guests) == [("reject", "duplicate_key", 2, "Id")]
    assert messages(guests) == ["Row 2 of helpers.csv has the same Id and describes another record; that row stands."]


def test_the_person_whom_the_roster_knows_stands_in_whichever_file() -> None:
    helpers, guests = both("1,Ann,Abel,A", "1,Bob,Bell,B", known=True)

    assert messages(helpers) == [
        "Row 2 of guests.csv has the same Id and describes another record; that row agrees with the published record, and stands."
    ]
    assert found(guests) == []


def test_neither_stands_where_the_roster_knows_somebody_else() -> None:
    helpers, guests = both("1,Ann,Abel,A", "1,Cy,Cole,B", known=True)

    assert [messages(one)[0].endswith(STAYS) for one in (helpers, guests)] == [True, True]


@pytest.mark.parametrize("guest", ["1,ann,ABEL,B", "2,Bob,Bell,B"], ids=["the same person", "another id"])
def test_the_same_person_or_another_id_in_another_file_is_no_dispute(guest: str) -> None:
    assert [found(one) for one in both("1,Ann,Abel,A", guest)] == [[], []]


def test_a_broken_row_in_one_file_leaves_the_id_to_the_other() -> None:
    helpers, guests = both("1,Ann,,A", "1,Bob,Bell,B")

    assert found(helpers) == [("reject", "missing_required", 2, "Last")]
    assert found(guests) == []


# ── records that a row has beside its own ──

WITH_CONTACT_IDS = replace(
    PUPILS,
    columns=(*COLUMNS, Column(name="ContactId")),
    parts=(Identity(key=("Id", "ContactId"), columns=("Contact",)),),
    repeats=RepeatedRows(columns=("Contact", "ContactId")),
)


def contacts(*people: str, known: str | None = None) -> ValidatedFile:
    def find(ids: pa.Table) -> pa.Table:
        return pa.table({"Contact": [known] * len(ids), KNOWN: [True] * len(ids)})

    text = lines("Id,First,Contact,ContactId", *people)
    of_contacts = PublishedRecords(find=find, keys=no_keys, comparable={"Contact": lambda cells: cells})
    published = replace(_published({}), parts={("Id", "ContactId"): of_contacts}) if known else None
    return judge(WITH_CONTACT_IDS, text, published=published)


def test_two_contacts_under_one_id_never_become_one() -> None:
    result = contacts("1,Ada,Mum,C1", "1,Ada,Dad,C1", "1,Ada,Dad,C2", "2,Bo,Dad,C1")

    assert found(result) == [("reject", "duplicate_key", 3, "Id, ContactId")]
    assert applied(result) == [("1", "Ada", "Mum"), ("1", "Ada", "Dad"), ("2", "Bo", "Dad")]


def test_the_published_contact_stands_wherever_it_comes() -> None:
    assert applied(contacts("1,Ada,Dad,C1", "1,Ada,Mum,C1", known="Mum")) == [("1", "Ada", "Mum")]


def test_a_person_is_not_refused_because_no_row_has_the_published_contact() -> None:
    assert applied(contacts("1,Ada,Dad,C1", "1,Ada,Mum,C1", known="Nan")) == [("1", "Ada", "Dad")]


def test_a_contact_that_is_refused_leaves_references_to_the_person_clear() -> None:
    people = contacts("1,Ada,Mum,C1", "1,Ada,Dad,C1")

    assert found(_classes(people, "c1,,1,")) == []


# ── changes ──

CHANGED = replace(
    ONCE,
    columns=(*ONCE.columns, Column(name="At", cell_format=DateTime())),
    changes=RowChanges(status="Status", modified="At"),
)


def changed(*people: str, changes: int, roster: dict[str, tuple[str | None, ...]] | None = None) -> ValidatedFile:
    text = lines("Id,First,Last,Mail,Status,At", *(f"{one}T00:00:00.000Z" for one in people))
    return judge(CHANGED, text, changes=changes, published=_published(roster or {}))


def names(result: ValidatedFile) -> list[tuple[object, object]]:
    return [(row["First"], row["Last"]) for row in rows(result) if not row[REFUSED]]


def test_a_newer_row_of_changes_may_rename_a_person_but_not_become_another_one() -> None:
    known = {"1": ("Ada", "Abel", None, "ada@example.org")}
    rename = ("1,Ada,Hill,hill@example.org,active,2026-01-02", "1,Ada,Abel,ada@example.org,active,2026-01-01")
    stranger = ("1,Bo,Brand,bo@example.org,active,2026-01-02", "1,Ada,Hill,ada@example.org,active,2026-01-01")

    assert names(changed(*rename, changes=2, roster=known)) == [("Ada", "Hill")]
    assert names(changed(*stranger, changes=2, roster=known)) == [("Ada", "Hill")]
    assert found(changed(*stranger, changes=2, roster=known)) == [("reject", "duplicate_key", 2, "Id")]
    assert found(changed(*stranger, changes=2)) == [("reject", "duplicate_key", 3, "Id")]  # nobody knows the id: the first stands


def test_a_change_is_not_compared_with_what_goes_on_and_a_removal_frees_the_id() -> None:
    people = ("1,Bo,Brand,bo@example.org,active,2026-01-02", "1,Ada,Abel,ada@example.org,active,2026-01-01")
    freed = ("1,Ada,Abel,ada@example.org,gone,2026-01-01", "1,Bo,Brand,bo@example.org,active,2026-01-02")

    assert names(changed(*people, changes=1)) == [("Bo", "Brand")]
    assert names(changed(*freed, changes=2, roster={"1": ("Ada", "Abel", None, "ada@example.org")})) == [("Bo", "Brand")]


# ── references within a file, and lists ──

FAMILY = replace(
    ONCE,
    columns=(*ONCE.columns, Column(name="Boss"), Column(name="Parents", cell_format=ListOf())),
    rules=(SelfReference(column="Boss", key="Id"), SelfReference(column="Parents", key="Id", loops=True)),
)
TEAMS = replace(
    CLASSES,
    columns=(
        Column(name="Class", required=True),
        Column(name="Id", required=True, cell_format=ListOf(), references=Reference(file="pupils", column="Id")),
    ),
    key=("Class",),
)


def test_references_within_a_file_and_in_lists_to_a_shared_id_are_left_out() -> None:
    text = lines(
        "Id,First,Last,Boss,Parents", "1,Ada,Abel,,", "1,Bo,Brand,,", "2,Cy,Cole,1,", '3,Di,Dole,,"1,2"', "4,Ed,Evans,2,2"
    )
    people = judge(FAMILY, text)
    teams = judge(TEAMS, lines("Class,Id", 'c1,"1,2"', "c2,1", "c3,2"), _beside(people, "pupils"))

    assert found(people) == [
        ("reject", "duplicate_key", 3, "Id"),
        ("warning", "unknown_reference", 4, "Boss"),
        ("warning", "unknown_reference", 5, "Parents"),
    ]
    assert [row.get("Parents") for row in rows(people)] == [None, None, None, "2", "2"]
    assert found(teams) == [("warning", "unknown_reference", 2, "Id"), ("reject", "unknown_reference", 3, "Id")]
