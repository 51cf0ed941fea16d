"""Frames between steps."""

import datetime
import decimal
import stat
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest

from roster_etl.frames.arrow import FINDINGS
from roster_etl.spec.errors import BadDistrictId, FrameError, UnsafePath
from roster_etl.store.staging_frames import FrameStore

TABLE = pa.table(
    {
        "Last_name": pa.array(["Null", "NA", "", None, "O'Brien", "007", "1E5", "学生\n\x00"]),
        "_row": pa.array(range(8), pa.int64()),
        "_refused": pa.array([True, None] * 4, pa.bool_()),
        "at": pa.array([None, datetime.datetime(2026, 8, 1, 12, 0, 0, 123456, datetime.UTC)] * 4, pa.timestamp("us", "UTC")),
        "ns": pa.array([None, 1] * 4, pa.timestamp("ns")),
        "day": pa.array([datetime.date(1, 1, 1), None] * 4, pa.date32()),
        "gpa": pa.array([decimal.Decimal("3.75"), None] * 4, pa.decimal128(5, 2)),
        "share": pa.array([float("nan"), None] * 4, pa.float64()),
        "short": pa.array([1, None] * 4, pa.int16()),
        "large": pa.array(["x", None] * 4, pa.large_string()),
        "kind": pa.array(["a", None] * 4).dictionary_encode(),
        "many": pa.array([["a"], None] * 4, pa.list_(pa.string())),
        "none": pa.nulls(8),
    }
)


@pytest.fixture(params=["local", "memory"])
def frames(request: pytest.FixtureRequest, tmp_path: Path) -> FrameStore:
    return FrameStore(str(tmp_path / "staging") if request.param == "local" else f"memory://{uuid4().hex}")


def test_a_frame_comes_back_exactly(frames: FrameStore) -> None:
    frames.write("lincoln", 7, "clever/students", TABLE)
    again = frames.read("lincoln", 7, "clever/students")

    assert again.schema.equals(TABLE.schema)
    assert again.drop_columns("share").equals(TABLE.drop_columns("share"))
    assert str(again["share"]) == str(TABLE["share"])


def test_a_frame_without_rows_keeps_its_types(frames: FrameStore) -> None:
    frames.write("lincoln", 7, "findings", FINDINGS.empty_table())

    assert frames.read("lincoln", 7, "findings").schema.equals(FINDINGS)


def test_some_columns_can_be_read_alone(frames: FrameStore) -> None:
    frames.write("lincoln", 7, "x", TABLE.slice(5, 2))
    part = frames.read("lincoln", 7, "x", columns=["Last_name"])

    assert part.to_pydict() == {"Last_name": ["007", "1E5"]}


def test_documents_rest_beside_frames(frames: FrameStore) -> None:
    frames.write_json("lincoln", 7, "plan", {"users": {"created": 1}, "é": [None]})

    assert frames.read_json("lincoln", 7, "plan") == {"users": {"created": 1}, "é": [None]}
    assert frames.exists("lincoln", 7, "plan")
    assert not frames.exists("lincoln", 8, "plan")


def test_what_is_missing_says_what_to_do(frames: FrameStore) -> None:
    with pytest.raises(FrameError, match="run the step before again"):
        frames.read("lincoln", 7, "nothing")
    with pytest.raises(FrameError, match="run the step before again"):
        frames.read_json("lincoln", 7, "nothing")


def test_names_that_could_leave_the_folder_are_refused(frames: FrameStore) -> None:
    for name in ("../x", "a/../../x", "/etc/x", ""):
        with pytest.raises(UnsafePath):
            frames.write_json("lincoln", 7, name, {})
    with pytest.raises(BadDistrictId):
        frames.write("../x", 7, "x", TABLE)


def test_the_newest_imports_of_each_district_survive_a_sweep(frames: FrameStore) -> None:
    for import_id in (8, 9, 10, 11):
        frames.write_json("lincoln", import_id, "plan", {})
    frames.write_json("adams", 1, "plan", {})

    assert frames.remove_old_imports(newest=2) == 2
    assert [frames.exists("lincoln", n, "plan") for n in (8, 9, 10, 11)] == [False, False, True, True]
    assert frames.exists("adams", 1, "plan")


def test_frames_are_private_and_a_damaged_one_is_an_error(tmp_path: Path) -> None:
    frames = FrameStore(str(tmp_path / "staging"))
    frames.write("lincoln", 7, "clever/students", TABLE)
    path = tmp_path / "staging" / "lincoln" / "7" / "clever" / "students.parquet"

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FrameError, match="damaged"):
        frames.read("lincoln", 7, "clever/students")


def test_a_document_that_a_crash_cut_off_is_an_error(tmp_path: Path) -> None:
    frames = FrameStore(str(tmp_path / "staging"))
    frames.write_json("lincoln", 7, "plan", {"users": 1})
    path = tmp_path / "staging" / "lincoln" / "7" / "plan.json"

    for left in (b"", path.read_bytes()[:5], b"\xff"):
        path.write_bytes(left)
        with pytest.raises(FrameError, match="damaged"):
            frames.read_json("lincoln", 7, "plan")
