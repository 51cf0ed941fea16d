"""Files of JSON Lines are read back: the same records, and one of each key."""

from __future__ import annotations

import gc
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.exports import json_lines
from roster_etl.pipeline.exports.json_lines import WrittenLines, record_lines, require_read_back
from roster_etl.pipeline.exports.read_back import ReadBackFailed

KEY = ("school", "person")
RECORDS: list[dict[str, Any]] = [
    {"school": 1, "person": "a", "name": "Zoë"},
    {"school": 1, "person": "b", "grades": ["01"]},
    {"school": 2, "person": "a", "name": None},
]


def written(folder: Path, records: list[dict[str, Any]]) -> tuple[Path, WrittenLines]:
    said, path = WrittenLines(), folder / "people.jsonl"
    path.write_bytes(b"".join(record_lines(records, said)))
    return path, said


@pytest.mark.parametrize("many", [0, 1, 3])
def test_a_line_a_record_and_the_file_is_what_was_said(tmp_path: Path, many: int) -> None:
    path, said = written(tmp_path, RECORDS[:many])

    require_read_back(path, said, KEY)
    assert (said.count, path.read_text("utf-8").count("\n")) == (many, many)


def test_more_records_than_are_in_memory_at_once(tmp_path: Path) -> None:
    path, said = written(tmp_path, [{"school": 1, "person": str(number)} for number in range(2_500)])

    require_read_back(path, said, KEY)
    assert path.read_text("utf-8").count("\n") == 2_500


@pytest.mark.parametrize(
    ("before", "after"), [('"Zoë"', '"Zoe"'), ('["01"]', '["1"]'), ("null", '""'), ('"person":"b"', '"person":"c"')]
)
def test_another_value_is_found(tmp_path: Path, before: str, after: str) -> None:
    path, said = written(tmp_path, RECORDS)
    path.write_text(path.read_text("utf-8").replace(before, after), "utf-8")

    with pytest.raises(ReadBackFailed, match=r"people\.jsonl.*other records"):
        require_read_back(path, said, KEY)


def test_a_record_that_is_missing_or_in_another_place_is_found(tmp_path: Path) -> None:
    path, said = written(tmp_path, RECORDS)
    lines = path.read_text("utf-8").splitlines(keepends=True)
    for changed in (lines[:2], [lines[1], lines[0], lines[2]]):
        path.write_text("".join(changed), "utf-8")
        with pytest.raises(ReadBackFailed):
            require_read_back(path, said, KEY)


def test_two_records_with_one_key_are_found(tmp_path: Path) -> None:
    path, said = written(tmp_path, [*RECORDS, {"school": 2, "person": "a", "name": "other"}])

    with pytest.raises(ReadBackFailed, match="two records with one key"):
        require_read_back(path, said, KEY)


@pytest.mark.parametrize(
    "file",
    [
        b'{"school":1,"person":"a"},{"school":1,"person":"b"}\n',  # two records in a line
        b'{"school":1,\n"person":"a"}\n',  # one in two lines
        b'{"person":"a","school":1,"school":1}\n',  # two values of a name
        b'{"school": 1,"person":"a"}\n',  # another spelling
        b'{"school":1,"person":"\xff"}\n',
        b'{"school":1,"person":"a"\n',
        b"\n",
    ],
)
def test_lines_that_are_no_records_are_refused_though_they_are_what_was_written(tmp_path: Path, file: bytes) -> None:
    path, said = tmp_path / "people.jsonl", WrittenLines()
    path.write_bytes(file)
    said.add(file, file.count(b"\n"))

    with pytest.raises(ReadBackFailed, match=r"people\.jsonl.*other records"):
        require_read_back(path, said, KEY)


def test_keys_that_differ_are_told_apart_though_their_hashes_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_lines, "hash", lambda text: len(text) % 2, raising=False)
    path, said = written(tmp_path, RECORDS)

    require_read_back(path, said, KEY)


@pytest.mark.parametrize("found", [RECORDS, RECORDS[:1]])
def test_objects_are_collected_again_after_an_export_however_it_ends(tmp_path: Path, found: list[dict[str, Any]]) -> None:
    path, said = written(tmp_path, found)
    path.write_bytes(path.read_bytes()[: -1 if found is RECORDS else None])
    with suppress(ReadBackFailed), json_lines._without_collection():
        assert not gc.isenabled()
        require_read_back(path, said, KEY)

    assert gc.isenabled()
