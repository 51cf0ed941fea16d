"""The matrix of faults: homes to begin with, what is done in them, and what must be the same whatever was killed.

Belongs here: which scenario goes through which point, how homes are made and copied, and the comparison. The comparison is of what
people and programs read: every version of every record with the rank of the published import that opened or closed it, what the ledger
says of every published import, open holds, and edits in force. It leaves out what a second try rightly changes: moments, numbers of
imports and of versions, runs, and imports that published nothing (one that was killed is there as ``failed``).
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from roster_etl.canonical import TABLES
from roster_etl.canonical.history import history_table
from roster_etl.canonical.ledger import CHECKS, FINDINGS, HOLDS, IMPORT_FILES, IMPORTS, OVERRIDES, REJECTED_ROWS
from roster_etl.canonical.people import PERSON_LINKS
from roster_etl.canonical.reconciliation import FEED_DECISIONS, RECONCILIATION
from roster_etl.pipeline.lifecycle.manifest import is_manifest_outdated
from roster_etl.pipeline.maintenance.backup import restore
from roster_etl.pipeline.maintenance.backup_manifest import NoBackup
from roster_etl.pipeline.reconciliation.decisions import as_document
from roster_etl.pipeline.reporting.receipts.verify import verify_receipts
from roster_etl.pipeline.workspace import RESTORE_MARKER, HalfRestored, Workspace
from roster_etl.store.archive import referenced_keys
from roster_etl.store.warehouse import Warehouse
from tests.faults.acts import FEED
from tests.faults.forge import KILLED, Ended, Forge, Fresh

OTHER = "oak"
LAKE = "lake"
_TIMES = ("version_id", "valid_from", "valid_to")
_RANKS = ("valid_from_import", "valid_to_import")
_OF_A_RERUN = ("archived_upload",)  # says that the bytes were run again
_SURROGATE = ("came_with", "plan_base", "sha256", "read_in", "undoes", "hold", "asked_by", "closed_holds")
"""Of an import's summary: numbers of imports, and hashes that have such numbers in them."""


_OF_FEEDS = {
    PERSON_LINKS: ("link_id", "valid_from", "valid_to", "valid_from_import", "valid_to_import"),
    RECONCILIATION: ("difference_id", "import_a", "import_b", "first_seen", "closed_at", "decided_at"),
    FEED_DECISIONS: ("decision_id", "decided_at"),
}
"""What is known of several feeds, and its columns that a second try rightly changes."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Something that is done in a home.

    ``after``: the acts that made the home; ``again``: what is done after a kill, if not the same; ``beside``: says what is wrong with what
    is neither in the warehouse nor in the archive.
    """

    name: str
    act: str
    how: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[str, ...] = ("first",)
    again: tuple[tuple[str, Mapping[str, Any]], ...] | None = None
    own: tuple[str, ...] = ()
    beside: Callable[[Place], list[str]] = lambda _: []

    @property
    def recovery(self) -> tuple[tuple[str, Mapping[str, Any]], ...]:
        """What a person or the next tick does when the process was killed."""
        tidy: tuple[tuple[str, Mapping[str, Any]], ...] = () if self.act == "migrate" else (("sweep", {}),)
        return (*tidy, *(self.again if self.again is not None else ((self.act, self.how),)))


def _a_half_backup_is_refused_and_a_whole_one_comes_back(place: Place) -> list[str]:
    """Look at the backup that was killed (``first``, whole if it came so far) and the one after it."""
    problems = []
    for name in ("first", "second"):
        try:
            problems += _brought_back(place, name)
        except NoBackup:
            problems += ["the second backup is refused"] if name == "second" else []
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no clear word
            problems.append(f"the {name} backup ends in {type(error).__name__}")
    return problems


def _brought_back(place: Place, name: str) -> list[str]:
    """Restore a backup beside the home, and return how that differs from it; a database of PostgreSQL is not among it."""
    if (place.home / name / "backup.json").exists() and place.url.startswith("postgresql"):
        return []
    restore(str(place.home / name), place.home / f"from-{name}")
    with place.opened() as workspace:
        return _difference(workspace, place.home / f"from-{name}")


def _a_half_home_says_so_and_the_next_is_whole(place: Place) -> list[str]:
    half, problems = place.home / "first", []
    if (half / RESTORE_MARKER).exists():
        try:
            Workspace.open(half)
            problems.append("a half restored home can be opened")
        except HalfRestored:
            pass
    elif (half / "warehouse.sqlite").exists():
        problems += _difference_to(place, half)
    return problems + _difference_to(place, place.home / "second")


def _difference_to(place: Place, home: Path) -> list[str]:
    if place.url.startswith("postgresql"):  # both homes have the one database
        return []
    with place.opened() as workspace:
        return _difference(workspace, home)


def _difference(workspace: Workspace, home: Path) -> list[str]:
    again = Workspace.open(home)
    try:
        return differences(canonical(again.warehouse), canonical(workspace.warehouse)) + leftovers(again)
    finally:
        again.close()


def _the_export_is_whole(place: Place) -> list[str]:
    """Compare the exported files with the ledger's newest line of them, and look for what a kill left beside."""
    with place.opened() as workspace, workspace.warehouse.read() as session:
        newest = session.ledger.exports(FEED[0])[0]
    out = place.home / "out"
    there = {path.name: sha256(path.read_bytes()).hexdigest() for path in out.iterdir()}
    told = {file["file"]: file["sha256"] for file in newest["files"]}
    problems = [] if (newest["status"], there) == ("written", told) else ["what lies there is not what the ledger says"]
    return problems + [f"{path.name} is left" for path in place.home.glob(".out.*")]


def _nothing_old_is_kept(place: Place) -> list[str]:
    with place.opened() as workspace:
        kept = workspace.frames.imports_by_district()
    pages = [path.name for path in (place.home / "reports").glob("*/*")]
    return [f"frames of {name} are kept" for name in kept] + [f"{name} is kept" for name in pages]


def _the_chain_is_whole(place: Place) -> list[str]:
    with place.opened() as workspace, workspace.warehouse.read_receipts() as receipts:
        unsigned = receipts.unsigned_count()
    found = verify_receipts([place.home / "archive" / "receipts"], [place.home / "keys" / "first.pub"])
    problems = [f"{receipt.file}: {receipt.reason}" for receipt in found.receipts if receipt.reason]
    return problems + [f"{unsigned} receipts are not signed"] * bool(unsigned) + ["the chain has a gap"] * (not found.is_whole)


def _the_archive_has_every_decision(place: Place) -> list[str]:
    with place.opened() as workspace, workspace.warehouse.read_reconciliation() as session:
        told = {row["decision_id"]: as_document(row) for row in session.decisions(FEED[0])}
        kept = {number: workspace.archive.read_decision(FEED[0], number) for number in workspace.archive.decisions(FEED[0])}
    return [] if kept == told else ["the archive does not have the decisions of the warehouse"]


def _the_docs_are_whole(place: Place) -> list[str]:
    made = list((place.home / "reports").glob("*/*.data_docs"))
    strangers = [path.name for path in (place.home / "reports").glob("*/.*")]
    whole = [len(list(folder.glob("*.html"))) > 1 and (folder / "index.html").exists() for folder in made]
    return [f"{name} is left beside the reports" for name in strangers] + (
        ["no Data Docs are there"] if not whole or not all(whole) else []
    )


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(name="import", act="import", how={"path": "b"}),
        Scenario(name="hold", act="import", how={"path": "half"}, own=("ledger.conclude", "ledger.concluded", "hold.record")),
        Scenario(
            name="replace",
            act="import",
            how={"path": "b"},
            after=("first", "held"),
            own=("ledger.supersede", "ledger.superseded"),
        ),
        Scenario(
            name="resume", act="resume", after=("first", "failed"), again=(("import", {"path": "b"}),), own=("ledger.resume",)
        ),
        Scenario(name="approve", act="approve", after=("first", "held"), own=("approve.begin",)),
        Scenario(name="discard", act="discard", after=("first", "held"), own=("decide.record", "decide.recorded")),
        Scenario(name="undo", act="undo", how={"import_id": 3}, after=("first", "second"), own=("undo.opened", "undo.held")),
        Scenario(name="approve undo", act="approve", after=("first", "second", "undone"), own=("undo.published",)),
        Scenario(name="override", act="override", how={"value": "Zoë"}, own=("override.opened", "override.published")),
        Scenario(
            name="purge",
            act="purge",
            how={"user_id": "USER"},
            after=("first", "second"),
            own=("purge.opened", "purge.scrubbed", "purge.remove", "purge.removed", "purge.settled", "purge.bytes"),
        ),
        Scenario(name="rebuild", act="rebuild", how={"url": "TARGET"}, after=("first", "second"), own=("rebuild.import",)),
        Scenario(
            name="backup",
            act="backup",
            how={"to": "HOME/first"},
            after=("first", "second"),
            again=(("backup", {"to": "HOME/second"}),),
            own=("backup.warehouse", "backup.note", "audit.note"),
            beside=_a_half_backup_is_refused_and_a_whole_one_comes_back,
        ),
        Scenario(
            name="restore",
            act="restore",
            how={"to": "HOME/first"},
            after=("first", "second", "copied"),
            again=(("restore", {"to": "HOME/second"}),),
            own=("restore.warehouse", "restore.archive"),
            beside=_a_half_home_says_so_and_the_next_is_whole,
        ),
        Scenario(
            name="house",
            act="house",
            how={"days": 4000},
            after=("first",),
            own=("retention.frames", "retention.report"),
            beside=_nothing_old_is_kept,
        ),
        Scenario(
            name="data docs",
            act="data_docs",
            after=("first",),
            own=("data_docs.made", "data_docs.removed"),
            beside=_the_docs_are_whole,
        ),
        Scenario(
            name="receipts",
            act="import",
            how={"path": "b"},
            after=("first", "keyed"),
            own=("receipt.number", "receipt.numbered", "receipt.write", "receipt.written", "receipt.signed"),
            beside=_the_chain_is_whole,
        ),
        Scenario(
            name="rotate",
            act="rotate",
            after=("first", "keyed", "second"),
            own=("keys.next", "keys.public"),
            beside=_the_chain_is_whole,
        ),
        Scenario(
            name="compare",
            act="import",
            how={"path": "lms", "feed": (FEED[0], "canvas")},
            after=("first", "feeds"),
            own=("reconcile.commit", "reconcile.committed"),
        ),
        Scenario(
            name="people",
            act="decide_people",
            after=("first", "feeds", "lms"),
            own=("people.decide", "people.decided", "people.archived"),
            beside=_the_archive_has_every_decision,
        ),
        Scenario(
            name="export",
            act="export",
            how={"to": "out"},
            own=(
                *("export.open", "export.opened", "export.write", "export.staged", "export.part", "export.move", "export.moved"),
                *("export.close", "export.closed"),
            ),
            beside=_the_export_is_whole,
        ),
        Scenario(
            name="export again",
            act="export_twice",
            how={"to": "out"},
            own=("export.exchanged",),
            beside=_the_export_is_whole,
        ),
        Scenario(name="migrate", act="migrate", after=("empty",), own=("migrate.upgraded", "migrate.done")),
        Scenario(name="send", act="send", after=("first", "held"), own=("outbox.send", "outbox.sent")),
        Scenario(name="sweep", act="sweep", after=("first", "left"), again=(("import", {"path": "b"}),), own=("sweep.ended",)),
        Scenario(
            name="night",
            act="night",
            after=("lake",),
            again=(("night", {"hours": 3}), ("night", {"hours": 6})),
            own=("arrival.write", "arrival.written", "arrival.forget", "fold.begin", "fold.done", "cursor.asked"),
        ),
    )
}
"""``own``: the points for which the short matrix takes this scenario; for all others it takes the import."""


def scenario_of(point: str) -> Scenario:
    """Return the scenario in which the short matrix tries `point`."""
    return next((scenario for scenario in SCENARIOS.values() if point in scenario.own), SCENARIOS["import"])


class Place:
    """A home and its warehouse, which may be elsewhere. ``uploads``: where the samples lie."""

    def __init__(self, home: Path, url: str, uploads: Path, forge: Forge | Fresh) -> None:
        self.home, self.url, self.uploads, self.forge = home, url, uploads, forge

    @property
    def environment(self) -> dict[str, str]:
        """What a process is told of the place."""
        return {"ROSTER_ETL_WAREHOUSE": self.url}

    def do(self, act: str, how: Mapping[str, Any], fault: str = "", meanwhile: Callable[[], None] = lambda: None) -> Ended:
        """Do `act` here, with a fault where one is named."""
        given = {name: self._real(name, value) for name, value in how.items()}
        environment = {**self.environment, "ROSTER_ETL_FAIL_AT": fault}
        return self.forge.run(act, self.home, environment, meanwhile, **given)

    def _real(self, name: str, value: Any) -> Any:
        if name == "path":
            return str(self.uploads / value)
        if value == "USER":
            return (self.uploads / "user").read_text()
        if name == "to":
            return value.replace("HOME", str(self.home))
        return f"sqlite:///{self.home}/rebuilt.sqlite" if value == "TARGET" else value

    @contextmanager
    def opened(self) -> Iterator[Workspace]:
        """Open the place in this process, which must have no child of its own meanwhile."""
        from dataclasses import replace

        from roster_etl.store.settings import Settings

        workspace = Workspace(replace(Settings.load(self.home), warehouse=self.url))
        try:
            yield workspace
        finally:
            workspace.close()


# ---- what must be the same


def canonical(warehouse: Warehouse) -> dict[str, list[str]]:
    """Return what people and programs read, as sorted lines (see the module)."""
    with warehouse.reading() as connection:
        rows = connection.execute(sa.select(IMPORTS).order_by(IMPORTS.c.import_id)).mappings().all()
        published = [row for row in rows if row["status"] == "published"]
        rank = _ranks(published)
        lines = {name: _versions(connection, name, rank) for name in TABLES}
        lines["imports"] = sorted(f"{rank[row['import_id']]} {_line(_about(row))}" for row in published if row["kind"] != "purge")
        lines["purged"] = sorted(
            {_line({name: row[name] for name in ("district_id", "source")}) for row in published if row["kind"] == "purge"}
        )
        for table in (IMPORT_FILES, CHECKS, FINDINGS, REJECTED_ROWS):
            found = connection.execute(sa.select(table)).mappings()
            lines[table.name] = sorted(
                _line({**row, "import_id": rank[row["import_id"]], "id": None, "cause_id": None, "refused_at": None})
                for row in found
                if row["import_id"] in rank and row.get("code") not in _OF_A_RERUN
            )
        held = {row["import_id"]: row for row in rows if row["status"] == "held"}
        holds = connection.execute(sa.select(HOLDS).where(HOLDS.c.decision.is_(None))).mappings()
        lines["holds"] = sorted(
            _line({"reason": hold["reason"], **_about(held[hold["import_id"]])}) for hold in holds if hold["import_id"] in held
        )
        edits = connection.execute(sa.select(OVERRIDES).where(OVERRIDES.c.cleared_at.is_(None))).mappings()
        for table, moving in _OF_FEEDS.items():
            rows = connection.execute(sa.select(table)).mappings().all()
            lines[table.name] = sorted(_line({k: v for k, v in row.items() if k not in moving}) for row in rows)
        lines["overrides"] = sorted(_line({k: v for k, v in row.items() if k not in ("override_id", "set_at")}) for row in edits)
    return lines


def _ranks(published: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """Return which one of its feed each import is; a purge opens and closes nothing, and may have to be said twice."""
    counts: Counter[str] = Counter()
    ranks = {}
    for row in published:
        feed = f"{row['district_id']}/{row['source']}"
        counts[feed] += row["kind"] != "purge"
        ranks[row["import_id"]] = f"purge of {feed}" if row["kind"] == "purge" else f"{feed} {counts[feed]}"
    return ranks


def _versions(connection: sa.Connection, name: str, rank: Mapping[int, str]) -> list[str]:
    columns = [column for column in history_table(name).columns if column.name not in _TIMES]
    found = connection.execute(sa.select(*columns)).mappings()
    return sorted(_line({**row, **{name: rank.get(row[name]) for name in _RANKS}}) for row in found)


def _about(row: Mapping[str, Any]) -> dict[str, Any]:
    summary = {name: value for name, value in row["summary"].items() if name not in _SURROGATE}
    names = ("kind", "district_id", "source", "file_set", "upload_id", "options", "status")
    return {**{name: row[name] for name in names}, "summary": summary}


def _line(row: Any) -> str:
    return json.dumps(dict(row), default=str, sort_keys=True, ensure_ascii=False)


def seen(warehouse: Warehouse) -> str:
    """Return what a reader sees at this moment, in one transaction: current records, and how many imports are published."""
    with warehouse.reading() as connection:
        published = sa.select(sa.func.count()).where(IMPORTS.c.status == "published").select_from(IMPORTS)
        parts = [connection.execute(published).scalar()]
        for name in TABLES:
            table = history_table(name)
            current = sa.select(table.c.row_hash).where(table.c.valid_to_import.is_(None))
            parts.append("".join(sorted(map(str, connection.execute(current).scalars()))))
    return json.dumps(parts)


class Reader:
    """A reader who looks again and again at a warehouse, and remembers each state that was visible."""

    def __init__(self, place: Place, warehouse: Warehouse) -> None:
        self.states: set[str] = set()
        self._warehouse, self._written = warehouse, _Written(place.url)

    def glance(self) -> None:
        """Look, unless nothing can have been written since the last look."""
        if self._written.since_last_time():
            self.states.add(seen(self._warehouse))


class _Written:
    """Whether something was written: the files of SQLite tell it; of another database it is always believed."""

    def __init__(self, url: str) -> None:
        path = url.removeprefix("sqlite:///")
        self._files = [Path(f"{path}{end}") for end in ("", "-wal", "-journal")] if path != url else []
        self._then: list[tuple[int, int] | None] = []

    def since_last_time(self) -> bool:
        now = [_size_and_moment(file) for file in self._files]
        then, self._then = self._then, now
        return not now or now != then


def _size_and_moment(file: Path) -> tuple[int, int] | None:
    try:
        about = file.stat()
    except FileNotFoundError:
        return None
    return about.st_size, about.st_mtime_ns


def of_others(warehouse: Warehouse) -> list[str]:
    """Return every row of the other district, whole: nobody touches them."""
    lines = []
    with warehouse.reading() as connection:
        for table in (IMPORTS, *map(history_table, TABLES)):
            found = connection.execute(sa.select(table).where(table.c.district_id == OTHER)).mappings()
            lines += [_line(row) for row in found]
    return sorted(lines)


def leftovers(workspace: Workspace) -> list[str]:
    """Return what a killed process left, and nobody has tidied up: imports that run, locks, manifests that are behind, lost bytes."""
    warehouse, archive = workspace.warehouse, workspace.archive
    rows = warehouse.ledger.imports()
    found = [f"import {row['import_id']} is running" for row in rows if row["status"] == "running"]
    found += [f"manifest of import {row['import_id']} is behind" for row in rows if is_manifest_outdated(workspace, row)]
    found += [f"{path.name} is left" for path in workspace.settings.scratch.glob("*") if path.name != "imports.gate"]
    manifests = (path.read_bytes() for path in (workspace.home / "archive" / "manifests").rglob("*.json"))
    named = set[str]().union(*map(referenced_keys, manifests))
    objects = (workspace.home / "archive" / "objects").glob("*/*")
    found += [
        f"object {path.name} belongs to no import"
        for path in objects
        if path.suffix != ".part" and path.name.removesuffix(".zst") not in named
    ]
    found += [f"a purge of {district} has not ended" for district in archive.pending_removals()]
    for row in rows:
        members = archive.read_manifest(row["district_id"], row["import_id"]).get("members", [])
        found += [f"{member['name']} of import {row['import_id']} is lost" for member in members if not _kept(archive, member)]
    with warehouse.reading() as connection:
        if connection.dialect.name == "postgresql":
            locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            found += ["an advisory lock is held"] * int(connection.exec_driver_sql(locks).scalar_one())
    return found


def _kept(archive: Any, member: Mapping[str, Any]) -> bool:
    return member["key"] is None or archive.has(member["key"])


# ---- one case


@dataclass(frozen=True, kw_only=True)
class Clean:
    """What a scenario comes to when nothing is killed. ``passed``: the points that it goes through."""

    before: str
    after: str
    canonical: Mapping[str, list[str]]
    passed: tuple[str, ...]


def clean_run(place: Place, scenario: Scenario) -> Clean:
    """Do the scenario undisturbed, and what would follow a kill: that must change nothing."""
    with place.opened() as workspace:
        before = seen(workspace.warehouse) if scenario.name != "migrate" else ""
    ended = place.do(scenario.act, scenario.how, "sweep.ended:raise:1000000")
    assert ended.code == 0, ended.log
    with place.opened() as workspace:
        after = seen(workspace.warehouse)
    for act, how in scenario.again or ():
        assert place.do(act, how).code == 0
    with place.opened() as workspace:
        return Clean(before=before, after=after, canonical=canonical(workspace.warehouse), passed=ended.passed)


def kill_and_recover(place: Place, scenario: Scenario, fault: str, clean: Clean) -> None:
    """Kill the process at a point, look on as a reader, run it again, and compare."""
    states: set[str] = set()
    if scenario.name == "migrate":
        killed, others = place.do(scenario.act, scenario.how, fault), []
    else:
        with place.opened() as workspace:
            others = of_others(workspace.warehouse)
            reader = Reader(place, workspace.warehouse)
            killed = place.do(scenario.act, scenario.how, fault, reader.glance)
            states = {*reader.states, seen(workspace.warehouse)}
    assert killed.code == KILLED, f"{fault} was not reached: {killed.log}"
    assert scenario.name in _SEVERAL or states <= {clean.before, clean.after}, "a half state was visible"
    if scenario.act == "rebuild":
        _forget_target(place)
    for act, how in scenario.recovery:
        again = place.do(act, how)
        assert again.code == 0, again.log
    with place.opened() as workspace:
        problems = leftovers(workspace) + differences(canonical(workspace.warehouse), clean.canonical)
        problems += ["another district was touched"] if of_others(workspace.warehouse) != others else []
    problems += scenario.beside(place)
    assert not problems, "\n".join(problems)


def differences(found: Mapping[str, list[str]], expected: Mapping[str, list[str]]) -> list[str]:
    """Return the first lines that are in one and not in the other, by table."""
    problems = []
    for name, lines in expected.items():
        missing, more = [line for line in lines if line not in found[name]], [line for line in found[name] if line not in lines]
        problems += [f"{name}: missing {line[:400]}" for line in missing[:2]] + [
            f"{name}: more {line[:400]}" for line in more[:2]
        ]
        problems += [f"{name}: {len(found[name])} lines, not {len(lines)}"] if len(found[name]) != len(lines) else []
    return problems


_SEVERAL = ("night", "migrate")
"""Scenarios in which more than one import is published: what is visible in between is the state after one of them."""


def _forget_target(place: Place) -> None:
    """A rebuild goes into an empty warehouse: the half that is there is thrown away, as the error says."""
    for path in place.home.glob("rebuilt.sqlite*"):
        path.unlink()


def copied(base: Path, to: Path) -> Path:
    """Copy a prepared home."""
    shutil.copytree(base, to, symlinks=True)
    return to
