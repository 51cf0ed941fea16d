"""Nights on end: districts upload, processes are killed anywhere, and a home in which nothing was killed must come to the same.

Belongs here: what happens in a night, by chance from a seed, and what must hold after it. Acts are in ``acts``, the comparison in
``scenarios``. The twin lives in one process for all nights, so that what it holds can be seen to grow; the soaked home's processes come and go.
"""

from __future__ import annotations

import hashlib
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

from roster_etl.canonical import TABLES
from roster_etl.canonical.history import history_table
from roster_etl.canonical.ledger import IMPORTS
from roster_etl.pipeline.maintenance.backup import restore
from roster_etl.pipeline.maintenance.backup_manifest import NoBackup
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.store.fault_injection import POINTS
from roster_etl.store.registry.district import District, Feed
from roster_etl.store.registry.registry import Registry
from roster_etl.store.warehouse import Warehouse
from roster_etl.vendors import vendor
from tests.faults.forge import KILLED, Ended, Forge
from tests.faults.lasting import Held, Lasting
from tests.faults.scenarios import Place, canonical, differences, leftovers

DISTRICTS = {"lincoln": "clever", "lake": "canvas", "elm": "dyknow", "mill": "mastery_connect", "oak": "catapult_connect"}
EVENTS = {"oak": {"attendance_quiet_period": "0s"}}
STUDENTS = 10
NOW = {"quiet_period": "0s", "straggler_wait": "0s", "min_interval": "0s"}  # so that our own clock will do
LEDGER = 150_000  # bytes a night
KEPT_IMPORTS = 3  # of a district, whose frames a sweep leaves
MOST = 1.5  # a warehouse of which all but the current versions was removed, beside the first one of that kind
_ENDS = (KILLED, -signal.SIGALRM)


@dataclass(kw_only=True)
class Night:
    """What happened. ``sizes``: bytes by what they are of; ``held``: what the twin's process has."""

    number: int
    uploads: list[str] = field(default_factory=list)
    kills: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    sizes: Mapping[str, int] = field(default_factory=dict)
    held: Held | None = None
    seconds: float = 0.0
    looks: int = 0

    def __str__(self) -> str:
        """Return it in a line."""
        sizes = ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in self.sizes.items())
        held = (
            self.held
            and f"{self.held.descriptors} fds, {self.held.threads} threads, {self.held.children} children, {self.held.memory} MiB"
        )
        said = [f"{', '.join(self.uploads) or 'no upload'}", f"killed {', '.join(self.kills) or 'nowhere'}", *self.others]
        said += [f"{self.looks} looks", sizes, f"lasting process: {held}", f"{self.seconds:.1f} s"]
        return f"night {self.number}: {'; '.join(said)}"


class Looks:
    """A reader who looks all the time: a feed must show the state after one of its imports, whole, whenever it is looked at."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._seen: set[tuple[str, str, int, str]] = set()
        self._next = 0.0
        self.count = 0

    def glance(self) -> None:
        """Look, unless looking would take more than a fifth of the time."""
        begun = time.monotonic()
        if begun >= self._next:
            self.look()
            self._next = begun + 5 * (time.monotonic() - begun)

    def look(self) -> None:
        """See each feed: how many imports are published, and what is current, in one transaction."""
        self.count += 1
        with self._warehouse.reading() as connection:
            for (district, source), numbers in _published(connection).items():
                self._seen.add((district, source, len(numbers), _state(connection, district, source)))

    def problems(self) -> list[str]:
        """Return what was seen, and was the state after no import; begin anew."""
        with self._warehouse.reading() as connection:
            published = _published(connection)
            wrong = [
                f"a half state of {district} was visible after {count} imports"
                for district, source, count, state in sorted(self._seen)
                if state != _state(connection, district, source, published[district, source][count - 1])
            ]
        self._seen.clear()
        return wrong


def _published(connection: sa.Connection) -> dict[tuple[str, str], list[int]]:
    query = sa.select(IMPORTS.c.district_id, IMPORTS.c.source, IMPORTS.c.import_id).order_by(IMPORTS.c.import_id)
    found: dict[tuple[str, str], list[int]] = {}
    for row in connection.execute(query.where(IMPORTS.c.status == "published", IMPORTS.c.kind != "purge")):
        found.setdefault((row.district_id, row.source), []).append(row.import_id)
    return found


def _state(connection: sa.Connection, district: str, source: str, after: int | None = None) -> str:
    """Return a feed's records in a word, now or after an import."""
    digest = hashlib.sha256()
    for name in TABLES:
        table = history_table(name)
        is_then = table.c.valid_to_import.is_(None)
        if after is not None:
            is_then = sa.and_(table.c.valid_from_import <= after, sa.or_(is_then, table.c.valid_to_import > after))
        query = sa.select(table.c.row_hash).where(table.c.district_id == district, table.c.source == source, is_then)
        digest.update(f"{name} {sorted(map(str, connection.execute(query).scalars()))}".encode())
    return digest.hexdigest()


class Uploads:
    """What districts upload, by chance: a day later than their first upload, that again, half of it, or what cannot be read."""

    def __init__(self, folder: Path, districts: tuple[str, ...], random: Random) -> None:
        self.landing, self._first, self._random = folder / "landing", folder / "first", random
        self._districts = districts
        for number, name in enumerate(districts):
            write_sample(vendor(DISTRICTS[name]), self._first / name, students=STUDENTS, seed=number)
            shutil.copytree(self._first / name, self.landing / name)

    def churn(self) -> list[str]:
        """Let some districts upload, and say which and what."""
        chosen = [name for name in self._districts if self._random.random() < 0.7]
        return [f"{name} {self.one(name)}" for name in chosen]

    def one(self, name: str) -> str:
        """Let a district upload, and say what."""
        facts = vendor(DISTRICTS[name])
        changes = facts.format.mode == "changes"
        kind = "changes" if changes else self._random.choices(("churn", "same", "half", "broken"), (6, 1, 2, 1))[0]
        if kind == "same":
            return kind
        target = self.landing / name
        shutil.rmtree(target)
        if changes:
            target.mkdir()
        else:
            shutil.copytree(self._first / name, target)  # what is given once, and not every day
        write_next_day(facts, self._first / name, target, seed=self._random.randrange(1 << 30))
        if kind in ("half", "broken"):
            self._spoil(max(target.glob("*.csv"), key=lambda file: file.stat().st_size), kind)
        return kind

    def _spoil(self, file: Path, kind: str) -> None:
        lines = file.read_text("utf-8").splitlines(keepends=True)
        file.write_text("".join(lines[: len(lines) // 2] if kind == "half" else ["what is this\n", *lines[1:]]), "utf-8")


class Soak:
    """Two homes of the same districts: one in which processes are killed, and its twin."""

    def __init__(
        self,
        folder: Path,
        forge: Forge,
        urls: tuple[str, str],
        *,
        seed: int,
        districts: Sequence[str],
        gates: bool = False,
        points: Sequence[str] = (),
    ) -> None:
        """Make both. `urls`: of their warehouses; `gates`: the twin asks Great Expectations itself; `points`: kill there, and not anywhere at any time."""
        self._random = Random(seed)
        self._folder, names = folder, tuple(districts)
        self.uploads = Uploads(folder, names, self._random)
        homes = [self._home(folder / name, names) for name in ("soaked", "twin")]
        self.soaked, self.twin = (Place(home, url, folder, forge) for home, url in zip(homes, urls, strict=True))
        self.lasting = Lasting(forge, self.twin.home, self.twin.environment, folder / "lasting", gates=gates)
        self._points = tuple(points)
        self._nights = 0
        self._first_held: Held | None = None
        self._first_size = 0

    def _home(self, home: Path, names: tuple[str, ...]) -> Path:
        home.mkdir(mode=0o700)
        (home / "roster_etl.toml").write_text(f'[landing]\nbase = "{self.uploads.landing}"\n[imports]\ntries = 9\n')
        registry = Registry(str(home / "districts"))
        for name in names:
            registry.add(District(id=name, feeds=(Feed(format=DISTRICTS[name], options=NOW | EVENTS.get(name, {})),)))
        return home

    def night(self) -> Night:
        """Live through a night, and look at what it left. Raises AssertionError."""
        begun, self._nights = time.monotonic(), self._nights + 1
        night = Night(number=self._nights)
        with self.soaked.opened() as workspace:
            looks = Looks(workspace.warehouse)
            self._events(night, looks)
            night.looks = looks.count
            with self.twin.opened() as twin:
                problems = self._problems(workspace, twin)
            night.sizes = self._sizes(workspace)
        night.seconds = time.monotonic() - begun
        problems += self._grown(night)
        assert not problems, f"{night}\n" + "\n".join(problems)
        return night

    def close(self) -> None:
        """End the twin's process."""
        self.lasting.close()

    # ---- what happens

    def _events(self, night: Night, looks: Looks) -> None:
        if self._nights > 1:  # in the first, all upload
            night.uploads = self.uploads.churn()
            self._twice(night, looks)
        else:
            night.uploads = ["all"]
        self._disturbed(night, looks, "night", {"hours": None})
        self._both(looks, "night", {"hours": None})
        decision = self._random.choice(("approve", "discard", None))
        if decision:
            self._disturbed(night, looks, decision, {})
        if self._nights % 4 == 3:
            night.others.append("backup")
            self._backup(night, looks)
        if self._nights % 3 == 2:
            night.others.append("purge")
            self._disturbed(night, looks, "forget", {})
        night.held = self._both(looks, "house", {"days": self._random.choice((0, 4000))})

    def _twice(self, night: Night, looks: Looks) -> None:
        """Import what lies there for a district in two processes at once; in the twin in one."""
        whole = [name for name in self.uploads_of_whole_districts() if f"{name} churn" in night.uploads]
        if not whole:
            return
        feed = (whole[0], DISTRICTS[whole[0]])
        self._done(self.soaked.do("twice", {"feed": feed}, "", looks.glance), looks)
        self.lasting.do("import", {"feed": feed})
        night.others.append(f"{whole[0]} twice at once")

    def uploads_of_whole_districts(self) -> tuple[str, ...]:
        """Return the districts that upload all of it each time."""
        return tuple(name for name in DISTRICTS if vendor(DISTRICTS[name]).format.mode != "changes")

    def _disturbed(self, night: Night, looks: Looks, act: str, how: Mapping[str, Any]) -> None:
        """Kill the process that does `act` no, one or two times, then let it be done; in the twin at once."""
        for _ in range(self._random.choice((0, 1, 1, 2)) if self._nights > 1 else 0):
            ended, where = self._killed(looks, act, how)
            if ended.code in _ENDS:
                night.kills.append(f"{act} {where}")
            self._done(ended, looks, *_ENDS)
        self._done(self.soaked.do(act, how, "", looks.glance), looks)
        self.lasting.do(act, how)

    def _killed(self, looks: Looks, act: str, how: Mapping[str, Any]) -> tuple[Ended, str]:
        """Do `act`, to be killed at a point, or after a time; by chance it ends before that."""
        if self._points or self._random.random() < 0.6:
            point, turn = self._random.choice(self._points or tuple(POINTS)), self._random.choice((1, 1, 2, 5, 20))
            turn = 1 if self._points else turn
            return self.soaked.do(act, how, f"{point}:kill:{turn}", looks.glance), f"at {point}:{turn}"
        seconds = round(self._random.uniform(0.02, 1.5), 3)
        return self.soaked.do(
            "hurried", {"seconds": seconds, "what": act, "so": dict(how)}, "", looks.glance
        ), f"after {seconds} s"

    def _both(self, looks: Looks, act: str, how: Mapping[str, Any]) -> Held:
        self._done(self.soaked.do(act, how, "", looks.glance), looks)
        return self.lasting.do(act, how)

    def _done(self, ended: Ended, looks: Looks, *allowed: int) -> None:
        assert ended.code in (0, *allowed), ended.log
        looks.look()
        problems = looks.problems()
        assert not problems, "\n".join(problems)

    def _backup(self, night: Night, looks: Looks) -> None:
        """Back up, perhaps be killed, and bring back what is whole; a half must be refused."""
        half, whole = (self._folder / f"backup-{self._nights}-{name}" for name in ("half", "whole"))
        ended, where = self._killed(looks, "backup", {"to": str(half)})
        night.kills += [f"backup {where}"] if ended.code in _ENDS else []
        if not (half / "backup.json").exists():
            with pytest.raises(NoBackup):
                restore(str(half), self._folder / "never")
            assert not (self._folder / "never").exists()
        self._done(self.soaked.do("backup", {"to": str(whole)}, "", looks.glance), looks)
        if self.soaked.url.startswith("sqlite"):
            self._restored(whole)
        for folder in (half, whole):
            shutil.rmtree(folder, ignore_errors=True)

    def _restored(self, backup: Path) -> None:
        home = self._folder / f"restored-{self._nights}"
        restore(str(backup), home)
        again = Workspace.open(home)
        try:
            with self.soaked.opened() as workspace:
                problems = differences(canonical(again.warehouse), canonical(workspace.warehouse))
            problems += leftovers(again)
        finally:
            again.close()
        assert not problems, "\n".join(["the restored home:", *problems])
        shutil.rmtree(home)

    # ---- what must hold

    def _problems(self, workspace: Workspace, twin: Workspace) -> list[str]:
        problems = leftovers(workspace) + differences(canonical(workspace.warehouse), canonical(twin.warehouse))
        problems += [f"{path.name} is locked, or left" for path in workspace.settings.scratch.rglob("import-*.lock")]
        for name, numbers in workspace.frames.imports_by_district().items():
            most = KEPT_IMPORTS + len(workspace.warehouse.ledger.holds(name))
            problems += [f"frames of {len(numbers)} imports of {name} are kept"] if len(numbers) > most else []
        return problems

    def _sizes(self, workspace: Workspace) -> dict[str, int]:
        home = self.soaked.home
        with workspace.warehouse.reading() as connection:
            size = "pg_database_size(current_database())" if connection.dialect.name == "postgresql" else None
            database = (
                connection.exec_driver_sql(f"SELECT {size}").scalar_one() if size else (home / "warehouse.sqlite").stat().st_size
            )
        return {"warehouse": int(database), "archive": _bytes(home / "archive"), "staging": _bytes(home / "staging")}

    def _most(self) -> float:
        """Return how many bytes a warehouse may have after a purge: the ledger keeps that there were imports, and how they ended."""
        return MOST * self._first_size + LEDGER * self._nights

    def _grown(self, night: Night) -> list[str]:
        """Return what has grown: what the lasting process holds, beside the third night; the warehouse after a purge, beside the first."""
        problems, held = [], night.held
        assert held is not None
        if self._nights == 3:
            self._first_held = held
        if (first := self._first_held) is not None:
            for name in ("descriptors", "threads", "children"):
                now, then = getattr(held, name), getattr(first, name)
                problems += [f"the lasting process has {now} {name}, and had {then}"] if now > then else []
        if "purge" in night.others:
            self._first_size = self._first_size or night.sizes["warehouse"]
            problems += ["the warehouse grows in spite of purges"] if night.sizes["warehouse"] > self._most() else []
        return problems


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
