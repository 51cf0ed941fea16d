"""Which upload a run takes when nobody named one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from roster_etl.orchestration.assets.default_upload import default_order
from roster_etl.spec.errors import LandingNotFound, UnknownFeed
from tests.orchestration.conftest import Home


def chosen(home: Home) -> int | str:
    """Return the archived import that is chosen, or the landing zone."""
    order, _ = default_order(home.workspace, "lincoln", "clever")
    return order.archived or "landing"


@pytest.fixture
def landing(published: Home, sample: Path, tmp_path: Path) -> Path:
    """Where lincoln's uploads arrive, with a whole upload that has stood still."""
    folder = tmp_path / "landing"
    shutil.copytree(sample, folder)
    for file in folder.iterdir():
        os.utime(file, (1, 1))
    district = published.workspace.registry.get("lincoln")
    (feed,) = district.feeds
    published.workspace.registry.add_feed("lincoln", type(feed)(format="clever", path=str(folder)), update=True)
    return folder


def test_a_settled_upload_in_the_landing_zone_comes_first(published: Home, landing: Path):
    assert chosen(published) == "landing"


def test_an_upload_that_is_not_quiet_yet_waits_for_the_sensor(published: Home, landing: Path):
    (landing / "students.csv").touch()

    assert chosen(published) == 1


def test_an_incomplete_upload_is_passed_over(published: Home, landing: Path):
    (landing / "students.csv").unlink()

    assert chosen(published) == 1


def test_an_empty_landing_zone_is_passed_over(published: Home, landing: Path):
    shutil.rmtree(landing)
    landing.mkdir()

    order, why = default_order(published.workspace, "lincoln", "clever")

    assert (order.archived, why) == (1, "the archived upload of import 1 once more: the landing zone has no file of the format")


def test_an_archived_upload_does_not_stand_in_for_a_landing_zone_that_cannot_be_read(published: Home, landing: Path):
    shutil.rmtree(landing)

    with pytest.raises(LandingNotFound):
        default_order(published.workspace, "lincoln", "clever")


def test_a_feed_without_a_landing_folder_has_only_what_is_archived(published: Home):
    _, why = default_order(published.workspace, "lincoln", "clever")

    assert why == "the archived upload of import 1 once more: the feed has no landing folder"


def test_with_nothing_archived_the_landing_zone_is_the_only_place(fresh: Home):
    assert chosen(fresh) == "landing"


def test_imports_of_other_formats_are_passed_over(published: Home):
    manifest = published.workspace.archive.read_manifest("lincoln", 1)
    published.workspace.archive.write_manifest("lincoln", 2, {**manifest, "source": "oneroster"})

    assert chosen(published) == 1


def test_a_feed_that_the_district_lacks_is_refused(published: Home):
    with pytest.raises(UnknownFeed):
        default_order(published.workspace, "lincoln", "oneroster")
