"""The run_context: frames stay in memory until their last reader took them, and on disk for a run that resumes."""

from __future__ import annotations

import errno
from threading import Event

import dagster as dg
import pyarrow as pa
import pytest

from roster_etl.orchestration.assets import run_resources
from roster_etl.orchestration.assets.run_resources import FrameIOManager, RunContext, mapped_tables
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace


def rows() -> pa.Table:
    return pa.table({"School_id": ["007", None]})


@pytest.fixture
def run_context(tmp_path) -> RunContext:
    run_context = RunContext(Workspace.open(tmp_path / "home"))
    run_context.begin_upload(
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
    return run_context


def test_a_frame_is_handed_on_as_it_is(run_context: RunContext):
    put = rows()
    run_context.write_frame(["clever", "schools"], put)

    assert run_context.read_frame(["clever", "schools"]) is put


def test_the_last_reader_takes_a_frame_away_from_memory(run_context: RunContext):
    put = rows()
    run_context.write_frame(["clever", "schools"], put)
    readers = run_context._pending_reads["clever", "schools"]

    assert readers > 1
    assert [run_context.read_frame(["clever", "schools"]) is put for _ in range(readers + 1)] == [True] * readers + [False]


def test_after_that_it_is_read_from_staging_the_same(run_context: RunContext):
    run_context.write_frame(["clever", "schools"], rows())
    run_context.begin_upload(run_context.upload)

    assert run_context.read_frame(["clever", "schools"]).equals(rows())


def test_a_large_frame_is_read_from_staging_the_same_by_each_step(run_context: RunContext, monkeypatch):
    put = rows()
    monkeypatch.setattr(run_resources, "_HELD_BYTES", put.nbytes - 1)
    run_context.write_frame(["clever", "schools"], put)

    found = [run_context.read_frame(["clever", "schools"]) for _ in range(2)]

    assert [(one is put, one.equals(put)) for one in found] == [(False, True)] * 2


def test_a_frame_that_no_step_reads_is_not_kept(run_context: RunContext):
    run_context.write_frame(["clever", "nobody"], rows())

    assert run_context._frames == {}


def test_a_desk_without_an_upload_hands_on_nothing(tmp_path):
    with pytest.raises(RuntimeError):
        RunContext(Workspace.open(tmp_path)).write_frame(["clever", "schools"], rows())


def test_the_io_manager_writes_to_the_desk_and_reads_from_it(run_context: RunContext):
    manager, key = FrameIOManager(run_context), dg.AssetKey(["clever", "schools"])
    manager.handle_output(dg.build_output_context(asset_key=key), rows())

    assert manager.load_input(dg.build_input_context(asset_key=key)).shape == (2, 1)
    (file,) = (run_context.workspace.home / "staging").rglob("*.arrows")
    assert file.stat().st_mode & 0o077 == 0


def test_tables_are_not_kept_and_read_from_staging_one_by_one(run_context: RunContext):
    run_context.write_frame(["roster", "users"], rows())
    tables = mapped_tables(run_context, run_context.upload)

    assert run_context._frames == {}
    assert "users" in tables
    assert "sections" in tables  # which is not there: asking whether it is one of them loads nothing
    assert tables["users"].equals(rows())
    assert len(list(tables)) == len(tables) > 1
    with pytest.raises(KeyError):
        tables["attendance"]


def test_a_frame_is_written_while_the_next_step_works_and_settled_before_it_is_read_back(run_context: RunContext, monkeypatch):
    writing, go_on = Event(), Event()
    write = run_context.workspace.frames.write

    def slowly(*words: object) -> None:
        writing.set()
        assert go_on.wait(10)
        write(*words)

    monkeypatch.setattr(run_context.workspace.frames, "write", slowly)
    run_context.write_frame(["roster", "users"], rows())

    assert writing.wait(10)  # put has returned
    assert not list((run_context.workspace.home / "staging").rglob("*.arrows"))
    go_on.set()
    run_context.flush()
    assert list((run_context.workspace.home / "staging").rglob("*.arrows"))


@pytest.mark.parametrize("then", ["put", "settle"])
def test_a_frame_that_could_not_be_written_ends_what_comes_next(run_context: RunContext, monkeypatch, then: str):
    monkeypatch.setattr(run_context.workspace.frames, "write", _full_disk)
    run_context.write_frame(["roster", "users"], rows())

    with pytest.raises(OSError):
        run_context.flush() if then == "settle" else run_context.write_frame(["roster", "sections"], rows())


def test_where_steps_are_apart_a_frame_is_there_when_it_was_put(run_context: RunContext, monkeypatch):
    apart = RunContext(run_context.workspace, separate_steps=True)
    apart.begin_upload(run_context.upload)
    monkeypatch.setattr(run_context.workspace.frames, "write", _full_disk)

    with pytest.raises(OSError):
        apart.write_frame(["roster", "users"], rows())


def _full_disk(*words: object) -> None:
    raise OSError(errno.ENOSPC, "no space")
