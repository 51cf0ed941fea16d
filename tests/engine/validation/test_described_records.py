"""Rejected rows that name no published record, and describe one: it counts as named by a rejected row."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from roster_etl.engine.validation.identity_checks import KNOWN, PublishedRecords
from roster_etl.engine.validation.validate import ReferencedFile, ValidatedFile
from tests.engine.validation.test_identity_checks import CLASSES, HEADER, IDENTITY, PUPILS
from tests.walking import judge, lines

ROSTER = {
    "s1": ("Ada", "Abbot", "01/02/2015", None),
    "s2": ("Bo", "Brandt", None, "bo@x.org"),
    "s3": ("Ada", "Abbot", None, None),
}
STAYS = "Its other cells describe a published record that no other row has: that record stays as it is."


def published() -> PublishedRecords:
    def find(ids: pa.Table) -> pa.Table:
        cells = [ROSTER.get(one, (None,) * 4) for one in ids.column("Id").to_pylist()]
        columns = {name: pa.array([row[at] for row in cells], pa.string()) for at, name in enumerate(IDENTITY.columns)}
        return pa.table({**columns, KNOWN: pa.array([one in ROSTER for one in ids.column("Id").to_pylist()])})

    comparable = dict.fromkeys(IDENTITY.columns, lambda cells: cells)
    return PublishedRecords(find=find, keys=lambda: pa.table({"Id": list(ROSTER)}), comparable=comparable)


def judged(*people: str, **how: Any) -> ValidatedFile:
    return judge(PUPILS, lines(HEADER, *people), published=published(), **how)


def kept(result: ValidatedFile) -> set[str | None]:
    return set(result.doubtful_keys.column("Id").to_pylist()) - {None}


def test_a_row_without_an_id_keeps_the_record_that_it_describes_and_says_so() -> None:
    result = judged("s1,Ada,Abbot,01/02/2015,,e,3,", ",BO,brandt,,bo@x.org,e,3,", "s3,Ada,Abbot,,,e,3,")

    (finding,) = result.findings.to_pylist()
    assert (finding["code"], finding["row"]) == ("missing_required", 3)
    assert finding["message"].endswith(STAYS)
    assert kept(result) == {"s2"}
    assert result.rows.column("_refused").to_pylist() == [False, True, False]


def test_rows_that_name_the_record_have_the_row_without_an_id_as_their_cause() -> None:
    people = judged("s1,Ada,Abbot,,,e,3,", ",Bo,Brandt,,,e,3,", "s3,Ada,Abbot,,,e,3,")
    others = {"pupils": ReferencedFile(rows=people.rows, file_name="pupils.csv")}

    (finding,) = judge(CLASSES, lines("Class,School,Id", "c1,e,s2"), others).findings.to_pylist()

    assert (finding["code"], finding["cause_file"], finding["cause_row"]) == ("unknown_reference", "pupils.csv", 3)


def test_a_mistyped_id_of_a_rejected_row_keeps_the_record_and_its_own_id() -> None:
    result = judged("s1,Ada,Abbot,,,e,3,", "s02,Bo,Brandt,,,e,3,", "s3,Ada,Abbot,,,e,3,", "s02,Cy,Cole,,,e,3,", ",,,,,,,")

    assert "s2" not in kept(result)  # the first row of s02 applies: a new id, and the old one is gone
    result = judged("s1,Ada,Abbot,,,e,3,", "s02,,Brandt,,bo@x.org,e,3,", "s3,Ada,Abbot,,,e,3,")
    assert kept(result) == {"s2", "s02"}
    assert result.rows.column("Id").to_pylist()[1] == "s02"


def test_a_row_of_somebody_else_under_a_known_id_keeps_the_record_that_it_describes() -> None:
    result = judged("s1,Ada,Abbot,01/02/2015,,e,3,", "s1,Bo,Brandt,,bo@x.org,e,3,", "s3,Ada,Abbot,,,e,3,")

    assert "s2" in kept(result)
    assert result.rows.column("Id").to_pylist() == ["s1", "s1", "s3"]


def test_a_row_that_may_describe_several_records_keeps_each_of_them() -> None:
    result = judged("s2,Bo,Brandt,,,e,3,", ",Ada,Abbot,,,e,3,")

    assert kept(result) == {"s1", "s3"}
    assert "several published records" in result.findings.to_pylist()[0]["message"]
    assert result.rows.column("Id").to_pylist() == ["s2", None]


def test_a_record_that_another_row_has_is_not_the_one_that_is_described() -> None:
    result = judged("s1,Ada,Abbot,,,e,3,", "s2,Bo,Brandt,,,e,3,", "s3,Ada,Abbot,,,e,3,", ",Bo,Brandt,,,e,3,")

    assert kept(result) == set()
    assert "other cells" not in result.findings.to_pylist()[0]["message"]


def test_a_stranger_without_an_id_keeps_nobody() -> None:
    assert kept(judged("s1,Ada,Abbot,,,e,3,", "s3,Ada,Abbot,,,e,3,", ",Bo,Stone,,new@x.org,e,3,")) == set()


def test_a_damaged_row_without_an_id_keeps_the_record_that_it_describes() -> None:
    result = judged("s1,Ada,Abbot,,,e,3,", ",Bo,Brandt,,bo@x.org,e,3,,,more", "s3,Ada,Abbot,,,e,3,")

    (finding,) = result.findings.to_pylist()
    assert (finding["code"], finding["row"]) == ("ragged_row", 3)
    assert finding["message"].endswith(STAYS)
    assert kept(result) == {"s2"}
