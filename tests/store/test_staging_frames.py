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
from roster_etl.store import staging_frames
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
    frames.write("lincoln", 7, "rows", "clever/students", TABLE)
    again = frames.read("lincoln", 7, "rows", "clever/students")

    assert again.schema.equals(TABLE.schema)
    assert again.drop_columns("share").equals(TABLE.drop_columns("share"))
    assert str(again["share"]) == str(TABLE["share"])


def test_a_long_frame_comes_back_exactly_and_its_columns_of_one_value_are_staged_once(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(staging_frames, "LONG", 8)
    same = {
        "status": pa.array(["active"] * 8),
        "ended": pa.nulls(8, pa.timestamp("us", "UTC")),
        "zero": pa.array([0.0] * 7 + [-0.0]),
    }
    table = pa.table({"first": pa.array(["one"] * 8), **{name: TABLE.column(name) for name in TABLE.column_names}, **same})
    table = table.select([*table.column_names[::2], *table.column_names[1::2]])
    frames = FrameStore(str(tmp_path))
    frames.write("lincoln", 7, "rows", "students", table)
    again = frames.read("lincoln", 7, "rows", "students")

    assert again.schema.equals(table.schema, check_metadata=True)
    assert again.drop_columns("share").equals(table.drop_columns("share"))
    assert str(again["zero"]) == str(table["zero"])
    assert (tmp_path / "lincoln" / "7" / "rows.arrows").read_bytes().count(b"active") == 1


def test_a_frame_without_rows_keeps_its_types(frames: FrameStore) -> None:
    frames.write("lincoln", 7, "validated", "findings", FINDINGS.empty_table())

    assert frames.read("lincoln", 7, "validated", "findings").schema.equals(FINDINGS)


def test_documents_rest_beside_frames(frames: FrameStore) -> None:
    frames.write_json("lincoln", 7, "planned", "plan", {"users": {"created": 1}, "é": [None]})

    assert frames.read_json("lincoln", 7, "planned", "plan") == {"users": {"created": 1}, "é": [None]}
    assert frames.exists("lincoln", 7, "planned", "plan")
    assert not frames.exists("lincoln", 8, "planned", "plan")


def test_what_is_missing_says_what_to_do(frames: FrameStore) -> None:
    with pytest.raises(FrameError, match="run the step before again"):
        frames.read("lincoln", 7, "planned", "nothing")
    with pytest.raises(FrameError, match="run the step before again"):
        frames.read_json("lincoln", 7, "planned", "nothing")


def test_names_that_could_leave_the_folder_are_refused(frames: FrameStore) -> None:
    for name in ("../x", "a/../../x", "/etc/x", ""):
        with pytest.raises(UnsafePath):
            frames.write_json("lincoln", 7, name, "x", {})
        with pytest.raises(UnsafePath):
            frames.write_json("lincoln", 7, "x", name, {})
    with pytest.raises(BadDistrictId):
        frames.write("../x", 7, "x", "x", TABLE)


def test_the_newest_imports_of_each_district_survive_a_sweep(frames: FrameStore) -> None:
    for import_id in (8, 9, 10, 11):
        frames.write_json("lincoln", import_id, "planned", "plan", {})
    frames.write_json("adams", 1, "planned", "plan", {})
    frames.flush()
    frames.close()

    assert frames.remove_old_imports(newest=2) == 2
    assert [frames.exists("lincoln", n, "planned", "plan") for n in (8, 9, 10, 11)] == [False, False, True, True]
    assert frames.exists("adams", 1, "planned", "plan")


def test_frames_are_private_and_a_damaged_one_is_an_error(tmp_path: Path) -> None:
    frames = FrameStore(str(tmp_path / "staging"))
    frames.write("lincoln", 7, "rows", "clever/students", TABLE)
    path = tmp_path / "staging" / "lincoln" / "7" / "rows.arrows"

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    content = path.read_bytes()
    for damage in (content[:100], content[:60] + bytes(200) + content[260:], b"?" + content[1:]):
        path.write_bytes(damage)
        with pytest.raises(FrameError, match=r"roster-etl rerun --district lincoln --import 7"):
            frames.read("lincoln", 7, "rows", "clever/students")


def test_a_damaged_container_is_written_anew(tmp_path: Path) -> None:
    frames = FrameStore(str(tmp_path / "staging"))
    frames.write_json("lincoln", 7, "planned", "plan", 1)
    path = tmp_path / "staging" / "lincoln" / "7" / "planned.arrows"
    path.write_bytes(b"?" * 100)
    FrameStore(str(tmp_path / "staging")).write_json("lincoln", 7, "planned", "plan", 2)

    assert frames.read_json("lincoln", 7, "planned", "plan") == 2


def test_a_run_that_goes_on_adds_to_what_was_left(frames: FrameStore) -> None:
    frames.write_json("lincoln", 7, "validated", "users", 1)
    frames.flush()
    frames.close()
    frames.write_json("lincoln", 7, "validated", "courses", 2)

    assert [frames.read_json("lincoln", 7, "validated", name) for name in ("users", "courses")] == [1, 2]


def test_an_attempt_that_begins_replaces_what_was_left_a_container_at_a_time(frames: FrameStore) -> None:
    frames.write_json("lincoln", 7, "validated", "users", 1)
    frames.write_json("lincoln", 7, "planned", "plan", 1)
    frames.flush()
    frames.begin("lincoln", 7)
    frames.write_json("lincoln", 7, "validated", "courses", 2)
    frames.write_json("lincoln", 7, "validated", "terms", 3)
    frames.flush()
    frames.close()

    assert not frames.exists("lincoln", 7, "validated", "users")
    assert [frames.read_json("lincoln", 7, "validated", name) for name in ("courses", "terms")] == [2, 3]
    assert frames.exists("lincoln", 7, "planned", "plan")


def test_where_steps_run_apart_a_container_is_written_as_a_whole(frames: FrameStore) -> None:
    frames.use_separate_containers()
    frames.write_json("lincoln", 7, "validated.users", "judged/users", 1)
    frames.flush()
    frames.close()
    frames.write_json("lincoln", 7, "validated.users", "lines/users", 2)

    assert not frames.exists("lincoln", 7, "validated.users", "judged/users")


def test_an_object_store_has_a_container_once_it_was_put_and_others_see_each_version() -> None:
    url = f"memory://{uuid4().hex}"
    one, other = FrameStore(url), FrameStore(url)
    one.write("lincoln", 7, "validated", "users", TABLE)
    assert not other.exists("lincoln", 7, "validated", "users")

    one.flush()
    assert other.read("lincoln", 7, "validated", "users").num_rows == TABLE.num_rows
    one.write("lincoln", 7, "validated", "users", TABLE.slice(0, 3))
    one.flush()
    assert other.read("lincoln", 7, "validated", "users").num_rows == 3


def test_the_next_stage_puts_the_one_before_into_the_object_store() -> None:
    url = f"memory://{uuid4().hex}"
    store = FrameStore(url)
    store.write_json("lincoln", 7, "validated", "users", 1)
    store.write_json("lincoln", 7, "validated", "courses", 1)
    store.write_json("lincoln", 7, "mapped", "users", 1)

    assert FrameStore(url).exists("lincoln", 7, "validated", "courses")
    assert not FrameStore(url).exists("lincoln", 7, "mapped", "users")


def test_local_copies_of_an_object_store_are_removed(tmp_path: Path) -> None:
    store = FrameStore(f"memory://{uuid4().hex}", tmp_path)
    store.write_json("lincoln", 7, "validated", "users", 1)
    assert [path for path in tmp_path.rglob("*") if path.is_file()]
    store.close()

    assert list(tmp_path.iterdir()) == []
