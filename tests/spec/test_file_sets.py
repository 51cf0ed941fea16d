"""Formats whose files arrive in sets."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from roster_etl.spec import Column, File, FileSet, Format, FormatError, Reference
from roster_etl.spec.formats import UnknownFileSet
from roster_etl.spec.options import options_of, resolve_options, timing_option_names


def _file(name: str, *columns: Column) -> File:
    return File(name=name, file_name=f"{name.title()}.csv", title=name, source="1", key=("id",), columns=columns)


PEOPLE = _file("people", Column(name="id", required=True))
BELLS = _file("bells", Column(name="id", required=True, references=Reference(file="people", column="id")))
ROSTER = FileSet(name="roster", files=("people",), mode="snapshot")
DAILY = FileSet(name="daily", files=("bells",), mode="events", timing={"quiet_period": "60s"}, urgent=True)
FORMAT = Format(
    name="plain", title="Plain", document="none", version="1", mode="snapshot", files=(PEOPLE, BELLS), sets=(ROSTER, DAILY)
)


def test_a_format_without_sets_has_one_of_all_its_files():
    plain = replace(FORMAT, sets=())

    assert [(s.name, s.files, s.mode) for s in plain.file_sets] == [("", ("people", "bells"), "snapshot")]
    assert plain.for_file_set("") is plain


def test_of_a_set_a_format_has_its_files_and_its_mode():
    daily = FORMAT.for_file_set("daily")

    assert ([file.name for file in daily.files], [file.name for file in daily.other_files], daily.mode) == (
        ["bells"],
        ["people"],
        "events",
    )
    assert daily.file("people") is PEOPLE


def test_a_set_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(UnknownFileSet, match="its sets: roster, daily"):
        FORMAT.for_file_set("nightly")


@pytest.mark.parametrize(("name", "expected"), [("people.csv", "roster"), ("deep/BELLS.CSV", "daily"), ("readme.txt", "roster")])
def test_a_file_tells_its_set_by_its_name(name: str, expected: str):
    assert FORMAT.file_set_of(name) == expected


@pytest.mark.parametrize(
    "sets",
    [
        (ROSTER,),
        (ROSTER, replace(DAILY, files=("bells", "people"))),
        (ROSTER, replace(DAILY, name="roster")),
        (ROSTER, replace(DAILY, name="No")),
    ],
)
def test_sets_that_do_not_part_the_files_are_refused(sets: tuple[FileSet, ...]):
    with pytest.raises(FormatError):
        replace(FORMAT, sets=sets)


def test_a_rhythm_is_made_of_arrival_options():
    with pytest.raises(FormatError, match="encoding is not a timing option"):
        FileSet(name="daily", files=("bells",), mode="events", timing={"encoding": "cp1252"})


def test_a_set_with_a_rhythm_of_its_own_has_options_of_its_own():
    options = options_of(FORMAT)

    assert options["daily_quiet_period"].default == "60s"
    assert resolve_options(FORMAT, {"daily_quiet_period": "30s"})["daily_quiet_period"] == timedelta(seconds=30)
    assert (DAILY.option("quiet_period"), DAILY.option("min_interval"), ROSTER.option("quiet_period")) == (
        "daily_quiet_period",
        "min_interval",
        "quiet_period",
    )
    assert timing_option_names(FORMAT) == {"quiet_period", "min_interval", "straggler_wait", "daily_quiet_period"}
