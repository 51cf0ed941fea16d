"""Rulers, counts and repeated headers in the files of every format: refused, and no record is made of them."""

from __future__ import annotations

import pytest

from roster_etl.frames.arrow import REFUSED
from roster_etl.spec import File
from roster_etl.vendors import discover_vendors
from tests.vendors.breaking import sample
from tests.walking import judge_upload, rows

FILES = [(name, file.name) for name, vendor in discover_vendors().items() for file in vendor.format.files]


def _with_such_lines(file: File, text: str) -> str:
    header, *records = text.splitlines()
    columns = header.count(",")
    ruler, count, total = ",".join(["-----"] * (columns + 1)), "(3 rows affected)" + "," * columns, "Total" + "," * columns
    again = header.swapcase()
    return "".join(f"{line}\n" for line in (header, ruler, *records, again, total, count, "", "(3 rows affected)"))


@pytest.mark.parametrize(("name", "kind"), FILES)
def test_lines_that_are_no_records_are_refused_and_the_rest_applies(name: str, kind: str) -> None:
    made = discover_vendors()[name]
    upload = sample(name)
    file = made.format.file(kind)
    spoiled = judge_upload(made, {**upload, kind: _with_such_lines(file, upload[kind])})[kind]
    codes = [f["code"] for f in spoiled.findings.to_pylist() if f["severity"] == "reject"]

    assert codes[0] == "not_a_record"
    assert codes[-4:] == ["repeated_header", "not_a_record", "not_a_record", "ragged_row"]
    assert len(codes) == 5
    assert len([row for row in rows(spoiled) if not row[REFUSED]]) == len(rows(judge_upload(made, upload)[kind]))
