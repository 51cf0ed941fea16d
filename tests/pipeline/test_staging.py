"""What steps leave for each other: where it is kept, and mappings that load a value when it is asked for."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from roster_etl.engine.validation.validate import QUARANTINE, VERDICTS
from roster_etl.frames.arrow import FINDINGS
from roster_etl.pipeline.staging import FileResult, LazyMapping, Staging
from roster_etl.spec.errors import FrameError
from roster_etl.store.staging_frames import FrameStore

RESULT = FileResult(
    refused=None,
    rows_read=2,
    rows_accepted=1,
    rows_rejected=1,
    evidence=(("x", "y"),),
    extensions=("ext_a",),
    present=("id",),
    hidden=False,
    lost=(),
    files={},
)


def write_file_result(staging: Staging, name: str) -> None:
    tables = {"findings": FINDINGS, "quarantine": QUARANTINE, "lines": VERDICTS, "doubtful_keys": pa.schema([])}
    staging.write_file_result(name, RESULT, **{what: schema.empty_table() for what, schema in tables.items()})


def store(folder: Path, *, apart: bool) -> FrameStore:
    made = FrameStore(str(folder))
    if apart:
        made.use_separate_containers()
    return made


def test_steps_of_one_process_share_a_container_and_steps_apart_have_their_own(tmp_path: Path) -> None:
    for name in ("users", "courses"):
        write_file_result(Staging(store(tmp_path / "one", apart=False), "lincoln", 1), name)
        write_file_result(Staging(store(tmp_path / "apart", apart=True), "lincoln", 1), name)

    assert [path.name for path in (tmp_path / "one/lincoln/1").iterdir()] == ["validated.arrows"]
    assert {path.name for path in (tmp_path / "apart/lincoln/1").iterdir()} == {
        "validated.users.arrows",
        "validated.courses.arrows",
    }


@pytest.mark.parametrize("first", [True, False], ids=["apart", "together"])
def test_a_run_goes_on_where_steps_share_a_process_or_do_so_no_more(tmp_path: Path, first: bool) -> None:
    write_file_result(Staging(store(tmp_path, apart=first), "lincoln", 1), "users")
    later = Staging(store(tmp_path, apart=not first), "lincoln", 1)
    write_file_result(later, "courses")

    assert [later.file_result(name) for name in ("users", "courses")] == [RESULT, RESULT]
    assert later.is_validated("users")
    assert not later.is_validated("terms")


def test_what_another_version_left_says_to_run_the_upload_again(tmp_path: Path) -> None:
    old = tmp_path / "lincoln" / "7" / "renames.parquet"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"PAR1")
    staging = Staging(FrameStore(str(tmp_path)), "lincoln", 7)

    with pytest.raises(FrameError, match="`roster-etl rerun --district lincoln --import 7`"):
        staging.renames()


def test_a_value_is_loaded_each_time_it_is_asked_for_and_by_nothing_else():
    asked: list[str] = []

    def load(name: str) -> str:
        asked.append(name)
        return name.upper()

    loaded = LazyMapping(["users", "sections"], load)

    assert "users" in loaded
    assert "terms" not in loaded
    assert list(loaded) == ["users", "sections"]
    assert len(loaded) == 2
    assert asked == []
    assert [loaded["users"], loaded["users"]] == ["USERS", "USERS"]
    assert asked == ["users", "users"]
    with pytest.raises(KeyError):
        loaded["terms"]
