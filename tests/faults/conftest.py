"""Homes to kill processes in: made once, copied for each case."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.store.registry.district import District, Feed
from roster_etl.store.registry.registry import Registry
from roster_etl.vendors import vendor
from tests.faults.acts import FEED
from tests.faults.forge import Forge
from tests.faults.scenarios import LAKE, OTHER, Clean, Place, Scenario, clean_run, copied
from tests.pg import connected
from tests.post_office import PostOffice, post_office

CANVAS = "user_id,login_id,status,full_name\n{0},l{0},active,Ann {0}\n"
MADE = {
    "first": (("import", {"path": "a"}), ("import", {"path": "a", "feed": (OTHER, "clever")})),
    "second": (("import", {"path": "b"}),),
    "held": (("import", {"path": "half"}),),
    "copied": (("backup", {"to": "HOME/copy"}),),
    "keyed": (("keys", {}),),
    "feeds": (("second_feed", {}),),
    "lms": (("import", {"path": "lms", "feed": (FEED[0], "canvas")}),),
    "undone": (("undo", {"import_id": 3}),),
    "empty": (),
    "lake": (("import", {"path": "a", "feed": (OTHER, "clever")}), ("import", {"path": "users", "feed": (LAKE, "canvas")})),
}
"""What makes a home, step by step."""
BROKEN = {"failed": "map.begin:raise", "left": "receive.done:kill"}
"""The last steps of homes in which an import failed, or was killed: day b, with a fault."""


@pytest.fixture(scope="package")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    """A warmed process."""
    found = Forge(tmp_path_factory.mktemp("forge"))
    yield found
    found.close()


@pytest.fixture(scope="package")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The uploads a, b (the next day), half (of the students: held), users, lms (Canvas); ``user`` names a student."""
    folder = tmp_path_factory.mktemp("uploads")
    write_sample(vendor("clever"), folder / "a", students=12, seed=5)
    write_next_day(vendor("clever"), folder / "a", folder / "b", seed=6)
    shutil.copytree(folder / "b", folder / "half")
    students = folder / "half" / "students.csv"
    lines = students.read_text("utf-8").splitlines(keepends=True)
    students.write_text("".join(lines[: len(lines) // 2]), "utf-8")
    with (folder / "b" / "students.csv").open(encoding="utf-8") as file:
        (folder / "user").write_text(next(csv.DictReader(file))["Student_id"])
    (folder / "users").mkdir()
    (folder / "users" / "users.csv").write_text(CANVAS.format("1"))
    _write_lms(folder)
    return folder


def _write_lms(folder: Path) -> None:
    """Write a Canvas upload of the students of day a, by their addresses."""
    with (folder / "a" / "students.csv").open(encoding="utf-8") as file:
        people = {row["Student_id"]: row for row in csv.DictReader(file) if row["Student_email"]}
    lines = [f"C{number},l{number},active,{row['Student_email']}" for number, row in people.items()]
    (folder / "lms").mkdir()
    (folder / "lms" / "users.csv").write_text("\n".join(["user_id,login_id,status,email", *lines, ""]))


@pytest.fixture(scope="package")
def office() -> Iterator[PostOffice]:
    """A mail server."""
    with post_office() as found:
        yield found


class Bases:
    """Prepared homes, each made of the one before it, on both databases; and what scenarios come to in them."""

    def __init__(self, folder: Path, uploads: Path, forge: Forge, office: PostOffice, server: str) -> None:
        self._folder, self._uploads, self._forge, self._office, self._server = folder, uploads, forge, office, server
        self._made: dict[tuple[str, tuple[str, ...]], str] = {}
        self._clean: dict[tuple[str, str], Clean] = {}
        self._copies = 0

    def place(self, database: str, after: tuple[str, ...]) -> Place:
        """Return a copy of the home that the steps `after` make."""
        broken = BROKEN.get(after[-1], "")
        home = self._base(database, after[:-1] if broken else after)
        self._copies += 1
        place = self._copy(database, home, f"case{self._copies}")
        if broken:  # in the very home that goes on: locks are of one home and warehouse
            assert place.do("import", {"path": "b"}, broken).code != 0
        return place

    def clean(self, database: str, scenario: Scenario) -> Clean:
        """Return what a scenario comes to undisturbed."""
        key = (database, scenario.name)
        if key not in self._clean:
            place = self.place(database, scenario.after)
            self._clean[key] = clean_run(place, scenario)
            self.drop(place)
        return self._clean[key]

    def drop(self, place: Place) -> None:
        """Remove a copy."""
        shutil.rmtree(place.home)
        if place.url.startswith("postgresql"):
            with connected(self._server) as connection:
                connection.execute(f'DROP DATABASE "{place.home.name}" WITH (FORCE)')

    def _base(self, database: str, after: tuple[str, ...]) -> str:
        key = (database, after)
        if key not in self._made:
            name = "_".join((database, *after))
            place = self._copy(database, self._base(database, after[:-1]), name) if after[:-1] else self._new(database, name)
            self._make(place, after[-1])
            self._made[key] = name
        return self._made[key]

    def _make(self, place: Place, step: str) -> None:
        if place.url.startswith("postgresql") and step in ("first", "lake"):
            place.do("migrate", {})
        for act, how in MADE.get(step, ()):
            ended = place.do(act, how)
            assert ended.code == 0, ended.log
        if step == "lake":
            landing = place.home.parent / "landing" / LAKE
            landing.mkdir(parents=True, exist_ok=True)
            (landing / "users.csv").write_text(CANVAS.format("2"))

    def _new(self, database: str, name: str) -> Place:
        home = self._folder / name
        home.mkdir(mode=0o700)
        mail = f'[mail]\nhost = "127.0.0.1"\nport = {self._office.port}\nsender = "roster@example.org"\nsecurity = "none"\n'
        (home / "roster_etl.toml").write_text(f'[landing]\nbase = "{self._folder / "landing"}"\n{mail}')
        feed = Feed(format="clever", options={"delete_threshold_pct": "40", "update_threshold_pct": "100"})
        registry = Registry(str(home / "districts"))
        registry.add(District(id=FEED[0], feeds=(feed,), contacts=("ann@example.org",)))
        registry.add(District(id=OTHER, feeds=(feed,)))
        registry.add(District(id=LAKE, feeds=(Feed(format="canvas"),)))
        return Place(home, self._url(database, name, "template1"), self._uploads, self._forge)

    def _copy(self, database: str, base: str, name: str) -> Place:
        home = copied(self._folder / base, self._folder / name)
        return Place(home, self._url(database, name, base), self._uploads, self._forge)

    def _url(self, database: str, name: str, template: str) -> str:
        if database == "sqlite":
            return f"sqlite:///{self._folder / name}/warehouse.sqlite"
        with connected(self._server) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self._server.replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="package")
def bases(
    tmp_path_factory: pytest.TempPathFactory, uploads: Path, forge: Forge, office: PostOffice, postgres_server: str
) -> Bases:
    """Prepared homes."""
    return Bases(tmp_path_factory.mktemp("homes"), uploads, forge, office, postgres_server)
