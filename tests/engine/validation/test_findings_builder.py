"""How masks over rows become findings."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from roster_etl.engine.validation.findings_builder import FindingsBuilder, joined_keys
from roster_etl.frames.arrow import FINDINGS, findings_table
from roster_etl.spec.findings import Finding


def test_there_is_one_finding_a_row_in_the_order_of_the_rows() -> None:
    findings = FindingsBuilder("a.csv")
    findings.add_rows("warning", "bad_value", np.array([7, 3]), field="X", message="m")
    findings.add_rows("reject", "bad_date", np.array([5]), field="Y", message="n")

    assert [(f["row"], f["code"], f["file"], f["count"]) for f in findings.table().to_pylist()] == [
        (3, "bad_value", "a.csv", 1),
        (5, "bad_date", "a.csv", 1),
        (7, "bad_value", "a.csv", 1),
    ]


def test_keys_are_masked() -> None:
    findings = FindingsBuilder("a.csv")
    findings.add_rows("warning", "bad_value", np.array([2, 3]), field=None, message="m", keys=pa.array(["123456789", None]))

    assert findings.table().column("key").to_pylist() == ["1••••••89", None]


def test_a_cause_is_told_where_there_is_one() -> None:
    findings = FindingsBuilder("a.csv")
    findings.add_rows(
        "reject", "unknown_reference", np.array([2, 3]), field="X", message="m", causes=("b.csv", pa.array([9, None], pa.int64()))
    )

    assert [(f["cause_file"], f["cause_row"]) for f in findings.table().to_pylist()] == [("b.csv", 9), (None, None)]


def test_a_finding_may_stand_for_several_rows() -> None:
    findings = FindingsBuilder("a.csv")
    findings.add_rows("warning", "conflicting_rows", np.array([2]), field="X", message="m", counts=np.array([4]))

    assert findings.table().column("count").to_pylist() == [4]


def test_findings_made_elsewhere_get_the_file_unless_they_have_one() -> None:
    findings = FindingsBuilder("a.csv")
    made = [Finding(severity="info", code="trimmed", message="m", file=name) for name in (None, "b.csv")]
    findings.add_table(findings_table(made))

    assert findings.table().column("file").to_pylist() == ["a.csv", "b.csv"]


def test_nothing_found_is_an_empty_table() -> None:
    findings = FindingsBuilder("a.csv")
    findings.add_rows("warning", "bad_value", np.array([], dtype=np.int64), field="X", message="m")

    assert findings.table().schema == FINDINGS
    assert findings.table().equals(FINDINGS.empty_table())


def test_a_code_must_stand_in_the_catalogue() -> None:
    with pytest.raises(KeyError):
        FindingsBuilder("a.csv").add_rows("warning", "nonsense", np.array([2]), field=None, message="m")


def test_key_cells_are_joined() -> None:
    columns = [pa.array(["a", "b", None]), pa.array(["1", "2", "3"])]

    assert joined_keys(columns, np.array([1, 2])).to_pylist() == ["b / 2", " / 3"]
    assert joined_keys(columns[:1], np.array([0])).to_pylist() == ["a"]


def test_no_control_character_gets_into_a_finding() -> None:
    findings = FindingsBuilder("a\x00.csv")
    causes = ("b\x00.csv", pa.array([4]))
    findings.add_rows(
        "reject", "bad_date", np.array([5]), field="Y\x00", message="n\x00", keys=pa.array(["12345\x00"]), causes=causes
    )

    assert "\x00" not in "".join(str(value) for value in findings.table().to_pylist()[0].values())
