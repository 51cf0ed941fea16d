"""The landing zone, here and behind URLs."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pytest

from roster_etl.spec.errors import LandingError, LandingNotFound, NoLanding, UploadMoved, UploadTooLarge
from roster_etl.store.landing.entries import Entry, is_os_junk
from roster_etl.store.landing.local import LocalLanding
from roster_etl.store.landing.open import open_folder, open_landing, unregistered_folders
from roster_etl.store.registry.district import District, Feed
from roster_etl.store.settings import Settings, UploadLimits

LIMITS = UploadLimits()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "students.csv").write_bytes(b"a\n1\n")
    return tmp_path / "in"


class _Rewritten(LocalLanding):
    """A folder where somebody does `act` before the second reading."""

    def __init__(self, folder: Path, act: Any) -> None:
        super().__init__(folder, LIMITS)
        self._acts = iter((lambda: None, act))

    def _read(self, address: str, take: Any) -> None:
        next(self._acts)()
        super()._read(address, take)


def rewrite_keeping_times(file: Path) -> None:
    found = file.stat()
    file.write_bytes(b"a\n2\n")
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))


def test_the_folder_itself_is_listed_and_nothing_below(home: Path) -> None:
    (home / "sub").mkdir()
    (home / "sub" / "x.csv").touch()
    (home / "link.csv").symlink_to(home / "students.csv")
    os.mkfifo(home / "pipe.csv")
    listing = LocalLanding(home, LIMITS).listing()

    assert [(entry.name, entry.regular) for entry in listing] == [
        ("link.csv", False), ("pipe.csv", False), ("students.csv", True), ("sub", False),
    ]  # fmt: skip
    assert listing[2].size == 4


def test_a_file_is_found_by_its_address_among_others(home: Path, settings: Settings) -> None:
    memory = fsspec.filesystem("memory")
    for name in ("aides.csv", "students.csv", "teachers.csv"):
        (home / name).touch()
        memory.pipe_file(f"/landing-find/{name}", b"a\n1\n")
    for url in (str(home), "memory://landing-find"):
        with open_folder(url, settings) as landing:
            for entry in landing.listing():
                assert landing.find(entry.address) == entry
            assert landing.find("staff.csv") is None


def test_a_file_is_fetched_from_any_url(home: Path, settings: Settings, tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/landing-test/students.csv", b"a\n1\n")
    memory.pipe_file("/landing-test/sub/x.csv", b"")
    for number, url in enumerate((str(home), f"file://{home}", "memory://landing-test")):
        with open_folder(url, settings) as landing:
            entry = landing.listing()[0]
            fetched = landing.fetch(entry, tmp_path / f"copy{number}")

        assert (entry.name, fetched.read(), fetched.size) == ("students.csv", b"a\n1\n", 4)


def test_twice_as_many_folders_and_feeds_are_twice_the_work(settings: Settings) -> None:
    settings = replace(settings, landing=replace(settings.landing, base="/base"))

    def calls(count: int) -> int:
        districts = [District(id=f"d{n}", feeds=(Feed(format="clever", path=f"/base/d{n}"),)) for n in range(count)]
        root = [Entry(name=f"d{n}", size=0, mtime=0.0, regular=False) for n in range(count + 1)]
        made = 0

        def count_call(*event: object) -> None:
            nonlocal made
            made += 1

        sys.setprofile(count_call)
        try:
            found = unregistered_folders(root, districts, settings)
        finally:
            sys.setprofile(None)
        assert found == (f"d{count}",)
        return made

    assert calls(200) < 2.2 * calls(100)


@pytest.mark.parametrize(
    "act",
    [
        rewrite_keeping_times,
        lambda file: file.write_bytes(b"a\n1\n2\n"),
        lambda file: file.unlink(),
        lambda file: (file.unlink(), file.symlink_to("/etc/passwd")),
        lambda file: os.utime(file, (1, 1)),
    ],
)
def test_a_file_that_changes_while_it_is_read_is_not_taken(home: Path, tmp_path: Path, act: Any) -> None:
    landing = _Rewritten(home, lambda: act(home / "students.csv"))
    with pytest.raises(UploadMoved, match="students.csv"):
        landing.fetch(landing.listing()[0], tmp_path / "copy")

    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("damaged", [b"a\n2\n", b"a\n1", b"a\n1\n\n", b""])
def test_a_copy_that_is_not_what_the_file_has_is_not_taken(home: Path, tmp_path: Path, damaged: bytes) -> None:
    copy = tmp_path / "copy"
    landing = _Rewritten(home, lambda: copy.write_bytes(damaged))
    with pytest.raises(UploadMoved, match="students.csv"):
        landing.fetch(landing.listing()[0], copy)

    assert not copy.exists()


def test_a_file_that_grew_since_the_listing_is_not_taken(home: Path, tmp_path: Path) -> None:
    landing = LocalLanding(home, LIMITS)
    (entry,) = landing.listing()
    (home / "students.csv").write_bytes(b"a\n1\n2\n")
    with pytest.raises(UploadMoved):
        landing.fetch(entry, tmp_path / "copy")


def test_files_and_folders_beyond_the_limits_are_refused(home: Path, tmp_path: Path) -> None:
    landing = LocalLanding(home, replace(LIMITS, file_bytes=3))
    with pytest.raises(UploadTooLarge, match="students.csv with 4 bytes is more than the limit of 3"):
        landing.fetch(landing.listing()[0], tmp_path / "copy")
    (home / "b.csv").touch()
    with pytest.raises(UploadTooLarge, match="2 files"):
        LocalLanding(home, replace(LIMITS, archive_members=1)).listing()


def test_a_file_is_no_folder(home: Path) -> None:
    with pytest.raises(LandingError, match="not a folder"):
        LocalLanding(home / "students.csv", LIMITS).listing()


def test_a_folder_that_is_not_there_may_come(tmp_path: Path) -> None:
    with pytest.raises(LandingNotFound):
        LocalLanding(tmp_path / "nowhere", LIMITS).listing()


def test_an_unknown_kind_of_url_is_refused(settings: Settings) -> None:
    with pytest.raises(LandingError, match="no way to read"), open_folder("gopher://x/y", settings):
        pass


def test_a_feed_without_any_folder_is_refused(settings: Settings) -> None:
    with pytest.raises(NoLanding, match="lincoln"), open_landing("lincoln", Feed(format="clever"), settings):
        pass


def test_below_the_landing_base_no_link_leads_to_another_district(settings: Settings, tmp_path: Path) -> None:
    base = tmp_path / "base"
    (base / "adams" / "upload").mkdir(parents=True)
    (base / "lincoln").mkdir()
    (base / "lincoln" / "upload").symlink_to(base / "adams" / "upload")
    settings = replace(settings, landing=replace(settings.landing, base=str(base)))
    with (
        pytest.raises(LandingError, match="upload is a link"),
        open_landing("lincoln", Feed(format="clever", path="lincoln/upload"), settings),
    ):
        pass
    with open_landing("adams", Feed(format="clever", path=str(base / "adams" / "upload")), settings) as landing:
        assert landing.listing() == ()


def test_folders_that_belong_to_no_district_are_named(settings: Settings, tmp_path: Path) -> None:
    for name in ("lincoln", "adams", "stray", "grant"):
        (tmp_path / "base" / name / "upload").mkdir(parents=True)
    (tmp_path / "base" / "readme.txt").touch()
    settings = replace(settings, landing=replace(settings.landing, base=str(tmp_path / "base")))
    districts = [
        District(id="lincoln", feeds=(Feed(format="clever"),)),
        District(id="adams", feeds=(Feed(format="clever", path=str(tmp_path / "base" / "adams" / "upload") + "/"),)),
        District(id="grant"),
    ]
    with open_folder(settings.landing.base, settings) as root:
        assert unregistered_folders(root.listing(), districts, settings) == ("grant", "stray")


@pytest.mark.parametrize(
    "name", [".DS_Store", "Thumbs.db", "~$students.csv", "__MACOSX/a/b.csv", "__MACOSX", "sub/.DS_Store", "._students.csv"]
)
def test_litter_is_nobody_s_business(name: str) -> None:
    assert is_os_junk(name)


@pytest.mark.parametrize("name", ["students.csv", "DS_Store.csv", "my~$.csv", "MACOSX.csv", "thumbs.db.csv"])
def test_a_file_is_no_litter(name: str) -> None:
    assert not is_os_junk(name)


def test_an_entry_keeps_the_other_side_s_spelling() -> None:
    entry = Entry(name="a\udcff\n.csv", size=1, mtime=1.0)

    assert (entry.name, entry.address) == ("a\\xff\\n.csv", "a\udcff\n.csv")
