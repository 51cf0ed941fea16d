"""A home whose archive and frames are in a bucket: imported, swept, rebuilt, purged, as with folders."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from roster_etl.pipeline.maintenance.cleanup import clean_up_home
from roster_etl.pipeline.maintenance.purge import PurgeTarget, purge
from roster_etl.pipeline.maintenance.rebuild import rebuild_district
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.store.settings import Settings
from roster_etl.store.warehouse import Warehouse
from roster_etl.vendors import vendor
from tests.cli.calling import call
from tests.dumps import dump
from tests.pipeline.maintenance.test_rebuild import registered, run
from tests.stored import uncompressed

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A home with lincoln, and nothing imported."""
    made = registered(tmp_path / "home", f"sqlite:///{tmp_path}/roster.sqlite")
    for place in ("archive", "staging"):
        monkeypatch.setenv(f"ROSTER_ETL_{place.upper()}", f"{bucket}/{place}")
    return replace(made, settings=Settings.load(made.home))


def held_bytes(bucket: str) -> dict[str, bytes]:
    """Return every object of a bucket, uncompressed."""
    files = fsspec.filesystem("s3", use_listings_cache=False)
    return {path: uncompressed(path, files.cat_file(path)) for path in files.find(bucket.removeprefix("s3://"))}


def places(bucket: str) -> set[str]:
    """Return the folders of a bucket."""
    return {path.split("/")[1] for path in held_bytes(bucket)}


def test_a_life_in_a_bucket_is_that_of_a_folder(home: Workspace, bucket: str, tmp_path: Path) -> None:
    write_sample(vendor("clever"), tmp_path / "a", students=24, seed=5)
    published = run(home, path=str(tmp_path / "a"))
    doctor = call("doctor", home=home.home)
    before, swept = places(bucket), clean_up_home(home, frames=0)
    original = dump(home.warehouse)
    rebuilt = rebuild_district(home, "lincoln", f"sqlite:///{tmp_path}/rebuilt.sqlite")

    assert published["status"] == "published"
    assert f"ok     archive: {bucket}/archive, 1 uploads kept" in doctor.out
    assert (swept.frames, swept.ended) == (1, ())
    assert not rebuilt.differs
    with Warehouse(f"sqlite:///{tmp_path}/rebuilt.sqlite") as again:
        assert dump(again) == original
    assert (before, places(bucket)) == ({"archive", "staging"}, {"archive"})
    assert [path for path in held_bytes(bucket) if path.endswith(".part") or "probe" in path] == []
    assert [name for name in ("archive", "staging") if list((home.home / name).rglob("*.arrows"))] == []

    with (tmp_path / "a" / "students.csv").open(newline="") as students:
        person = max(csv.DictReader(students), key=lambda row: len(row["Student_email"]))
    assert [path for path, content in held_bytes(bucket).items() if person["Student_email"].encode() in content]
    purge(home, PurgeTarget(district_id="lincoln", person=("student", person["Student_id"])), by="A. Steward")
    mail = person["Student_email"].encode()
    assert mail
    assert [path for path, content in held_bytes(bucket).items() if mail in content] == []
