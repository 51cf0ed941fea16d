"""The desk: frames stay in memory until their last reader took them, and on disk for a run that resumes."""

from __future__ import annotations

import dagster as dg
import pandas as pd
import pytest

from roster_etl.mapping.frames import text
from roster_etl.orchestration.io_manager import FrameIOManager
from roster_etl.orchestration.resources import Desk
from roster_etl.pipeline.upload import Upload
from roster_etl.pipeline.workspace import Workspace


def frame() -> pd.DataFrame:
    return pd.DataFrame({"School_id": text(["007", None])})


@pytest.fixture
def desk(tmp_path) -> Desk:
    desk = Desk(Workspace.open(tmp_path / "home"))
    desk.begin(
        Upload(
            import_id=1,
            district_id="lincoln",
            source="clever",
            upload_id="u",
            run_id=None,
            received_at="",
            options={},
            settings="",
            content="",
            members=(),
        )
    )
    return desk


def test_a_frame_is_handed_on_as_it_is(desk: Desk):
    put = frame()
    desk.put(["clever", "schools"], put)

    assert desk.take(["clever", "schools"]) is put


def test_the_last_reader_takes_a_frame_away_from_memory(desk: Desk):
    put = frame()
    desk.put(["roster", "users"], put)

    assert [desk.take(["roster", "users"]) is put for _ in range(3)] == [True, True, False]


def test_after_that_it_is_read_from_staging_the_same(desk: Desk):
    desk.put(["roster", "users"], frame())
    desk.begin(desk.upload)

    pd.testing.assert_frame_equal(desk.take(["roster", "users"]), frame())


def test_a_frame_that_no_step_reads_is_not_kept(desk: Desk):
    desk.put(["clever", "nobody"], frame())

    assert desk._frames == {}


def test_a_desk_without_an_upload_hands_on_nothing(tmp_path):
    with pytest.raises(RuntimeError):
        Desk(Workspace.open(tmp_path)).put(["clever", "schools"], frame())


def test_the_io_manager_writes_to_the_desk_and_reads_from_it(desk: Desk):
    manager, key = FrameIOManager(desk), dg.AssetKey(["clever", "schools"])
    manager.handle_output(dg.build_output_context(asset_key=key), frame())

    assert manager.load_input(dg.build_input_context(asset_key=key)).shape == (2, 1)
    (file,) = (desk.workspace.home / "staging").rglob("*.parquet")
    assert file.stat().st_mode & 0o077 == 0
