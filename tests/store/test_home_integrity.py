"""A home that other users could change is refused by what writes, and told by ``doctor``."""

from __future__ import annotations

import grp
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.home_integrity import TRUST_VARIABLE, UnsafeHome, find_open_parents, find_unsafe_paths, require_safe_home
from roster_etl.store.settings import Settings

Damage = Callable[[Path], object]
WRITTEN = ("staging", "archive", "keys", "outbox", "reports", "history", "storage", "schedules")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with settings, one district and one suite of its own."""
    home = tmp_path / "home"
    for folder in ("districts", "expectations/clever", *WRITTEN):
        (home / folder).mkdir(mode=0o755, parents=True)
    for file in (
        "roster_etl.toml",
        "dagster.yaml",
        "districts/lincoln.toml",
        "expectations/clever/students.json",
        "warehouse.sqlite",
    ):
        (home / file).touch(mode=0o644)
    home.chmod(0o755)
    return home


def problems(home: Path) -> list[str]:
    return list(find_unsafe_paths(Settings.load(home, {})))


def replace_by_link(path: Path) -> None:
    target = path.parent.parent / "elsewhere"
    path.rename(target)
    path.symlink_to(target)


def test_a_home_that_others_can_only_look_into_is_safe(home: Path):
    assert problems(home) == []
    require_safe_home(Settings.load(home, {}))


TRUSTED = (
    ".",
    "roster_etl.toml",
    "dagster.yaml",
    "districts",
    "districts/lincoln.toml",
    "expectations/clever",
    "warehouse.sqlite",
    *WRITTEN,
)
DAMAGE: dict[str, tuple[str, Damage]] = {
    **{f"others may write {name}": (name, lambda path: path.chmod(path.stat().st_mode | 0o002)) for name in TRUSTED},
    "a group may write the home": (".", lambda path: (os.chown(path, -1, 12345), path.chmod(0o775))),
    "settings of another user": ("roster_etl.toml", lambda path: os.chown(path, 12345, -1)),
    "a registry of another user": ("districts", lambda path: os.chown(path, 12345, -1)),
    **{f"{name} is a link": (name, replace_by_link) for name in (*WRITTEN, "districts", "warehouse.sqlite")},
    "the database's journal is a link": ("warehouse.sqlite-wal", lambda path: path.symlink_to(path.parent / "elsewhere")),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_others_may_change_is_refused_and_named(name: str, home: Path):
    place, damage = DAMAGE[name]
    if (os.geteuid() != 0) and ("user" in name or "group" in name):
        pytest.skip("only root gives a file away")
    damage(home / place)

    assert len(problems(home)) == 1 + (name == "staging is a link")  # with it the folder for temporary files
    assert str((home / place).absolute()) in problems(home)[0]
    with pytest.raises(UnsafeHome, match="Nothing was written"):
        require_safe_home(Settings.load(home, {}), "lincoln")
    require_safe_home(Settings.load(home, {}), "monroe") if place == "districts/lincoln.toml" else _is_refused(home)


def _is_refused(home: Path) -> None:
    with pytest.raises(UnsafeHome):
        Workspace.open_to_write(home)


def test_a_home_that_others_may_rename_is_named(home: Path, monkeypatch: pytest.MonkeyPatch):
    settings = Settings.load(home, {})
    assert list(find_open_parents(settings)) == []

    home.parent.chmod(0o1777)
    assert list(find_open_parents(settings)) == []
    home.parent.chmod(0o777)
    assert "may replace the home" in next(find_open_parents(settings))
    monkeypatch.setenv(TRUST_VARIABLE, "1")
    assert list(find_open_parents(settings)) == []


def test_a_users_own_group_may_write(home: Path, monkeypatch: pytest.MonkeyPatch):
    home.chmod(0o775)
    own = home.stat().st_gid
    for members, is_safe in (([], True), (["somebody"], False)):
        monkeypatch.setattr(grp, "getgrgid", lambda _, members=members: grp.struct_group((_user(), "x", own, members)))
        assert (problems(home) == []) is is_safe


def test_a_link_that_nothing_is_written_through_is_the_owners_own(home: Path):
    for name in ("expectations", "roster_etl.toml"):
        (home / name).rename(home.parent / name)
        (home / name).symlink_to(home.parent / name)
    (home / "uploads").symlink_to(home.parent)

    assert problems(home) == []


def test_a_link_to_itself_is_named(home: Path):
    suite = home / "expectations/clever/students.json"
    suite.unlink()
    suite.symlink_to(suite)

    assert problems(home) == [f"{suite} cannot be looked at (Too many levels of symbolic links); remove it"]


def test_an_archive_that_the_settings_put_elsewhere_may_be_shared(home: Path):
    (home.parent / "shared").mkdir(mode=0o777)
    (home.parent / "shared").chmod(0o777)
    (home / "roster_etl.toml").write_text(f'[archive]\nurl = "{home.parent}/shared"\n', "utf-8")

    assert problems(home) == []


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name


def test_in_a_container_only_links_are_refused(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(TRUST_VARIABLE, "1")
    home.chmod(0o777)
    assert problems(home) == []

    replace_by_link(home / "archive")
    assert len(problems(home)) == 1
