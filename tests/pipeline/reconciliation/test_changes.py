"""Comparing what changed comes to the same as comparing all, whatever two feeds publish and people decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.reconcile.person_groups import PersonRecord
from roster_etl.pipeline.reconciliation.decide_people import ConflictingDecision, PersonDecision, write_decision
from roster_etl.pipeline.reconciliation.reconcile import reconcile
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.district import Reconcile
from roster_etl.store.warehouse import ImportResult, TableChange
from tests.ledgers import in_transaction
from tests.rosters import closes, opens
from tests.sampling import ALL, every

PAIR = ("lincoln", "clever", "oneroster")
BEGAN = datetime(2026, 9, 1, 6, tzinfo=UTC)
STEPS = 12 if ALL else 4
Key = tuple[Any, ...]
World = dict[str, dict[Key, dict[str, Any]]]
"""What one feed has: table → key → row."""
EMPTY: World = {table: {} for table in ("organizations", "terms", "users", "user_roles", "courses", "sections", "enrollments")}
WEIGHTS = ("organizations", "terms", "courses", "sections", "sections", "user_roles", *["users"] * 8, *["enrollments"] * 8)
SECTIONS = ("s0", "s1", "s2", "s3", "s4", "\x1fc1")  # values with the character that joins values must not be read as others
SETTINGS = (
    Reconcile(),
    Reconcile(match={"users": ("email", "last_name+number"), "sections": ("number+period",), "courses": ("number",)}),
    Reconcile(match={"users": ("number", "state_id")}, ignore={"users": ("email",)}),
)


# ---- random rosters: few IDs and few values, so that rules name one record, several or none


def record(random: Random, table: str) -> dict[str, Any]:
    """Return a record."""
    number, school = random.randrange(6), random.choice(("o0", "o1", "o2"))
    user = {"user_kind": random.choice(("student", "student", "teacher", "user")), "user_id": f"u{number}"}
    if table == "organizations":
        return {
            "organization_id": school,
            "number": random.choice(("1", "2", None)),
            "name": random.choice("AB"),
            "type": "school",
        }
    if table == "terms":
        start = BEGAN + timedelta(days=number % 2)
        return {"term_id": f"t{number % 2}", "name": "T", "start_at": start, "end_at": BEGAN + timedelta(days=90)}
    if table == "courses":
        blueprint = random.choice((None, f"c{random.randrange(4)}"))
        course = {"course_id": f"c{number % 4}", "organization_id": school, "number": random.choice(("n0", "n1", "n1\x1f1"))}
        return {**course, "name": random.choice("ME"), "blueprint_course_id": blueprint}
    if table == "sections":
        ids = {"section_id": SECTIONS[number], "course_id": f"c{random.randrange(4)}", "organization_id": school, "term_id": "t0"}
        return {**ids, "number": random.choice(("1", "1\x1f1", None)), "period": "1", "name": random.choice("ME")}
    if table == "user_roles":
        return {**user, "organization_id": school, "role": random.choice(("student", "teacher"))}
    if table == "users":
        values = {
            "first_name": random.choice(("Ann", "Bo")),
            "last_name": random.choice(("Lee", "Lee\x1f7")),
            "email": random.choice(("a@x.org", "A@x.org", "b@x.org", "c@x.org", "É@x.org", "é@x.org", None)),
            "state_id": random.choice(("S1", "S2", "S3", None)),
            "number": random.choice(("7", "7\x1f7", None)),
        }
        return {**user, **values, "status": "active"}
    section = random.choice((None, SECTIONS[number]))
    of = {"course_id": f"c{random.randrange(4)}", "section_id": section, "organization_id": school}
    return {**of, **user, "role": random.choice(("student", "teacher")), "status": "active"}


def key_of(table: str, row: Mapping[str, Any]) -> Key:
    return tuple(row.get(name) for name in TABLES[table].key)


def mutated(random: Random, world: World, most: int) -> World:
    """Return the world of a feed after some changes."""
    after = {table: dict(rows) for table, rows in world.items()}
    for _ in range(random.randint(1, most)):
        table = random.choice(WEIGHTS)
        row = record(random, table)
        key = key_of(table, row)
        if key in after[table] and random.random() < 0.5:
            del after[table][key]
        else:
            after[table][key] = row
    return after


def renamed(random: Random, world: World) -> tuple[World, dict[Key, dict[str, Any]]]:
    """Return the world after a user got another ID, and the change of the ID."""
    if not world["users"]:
        return world, {}
    (kind, old), new = random.choice(list(world["users"])), f"u{random.randrange(9)}"
    if (kind, new) in world["users"]:
        return world, {}
    after = dict(world)
    for table in ("users", "user_roles", "enrollments"):
        rows = [
            {**row, "user_id": new} if (row["user_kind"], row["user_id"]) == (kind, old) else row for row in world[table].values()
        ]
        after[table] = {key_of(table, row): row for row in rows}
    change = {"entity": "users", "old_id": old, "new_id": new, "extensions": f'{{"user_kind":"{kind}"}}'}
    return after, {("users", old, new): change}


# ---- two warehouses with the same history: one compares what changed, the other everything


@dataclass
class Twins:
    parts: Workspace
    whole: Workspace
    settings: Reconcile = field(default_factory=Reconcile)
    at: datetime = BEGAN

    def publish(self, source: str, before: World, after: World) -> None:
        """Publish a world to both."""
        self.at += timedelta(hours=1)
        for workspace in (self.parts, self.whole):
            publish(workspace, source, before, after, self.at)

    def compare(self) -> bool:
        """Compare the feeds in both, and return whether one of them compared what changed alone; both must come to the same."""
        part = reconcile(self.parts, PAIR, settings=self.settings, full=False)
        full = reconcile(self.whole, PAIR, settings=self.settings, full=True)
        assert (part.by_rule, part.opened, part.closed) == (as_counts(full.by_rule), full.opened, full.closed)
        assert state(self.parts) == state(self.whole)
        return not part.is_full

    def decide(self, random: Random, worlds: Mapping[str, World]) -> None:
        """Decide about two users."""
        users = [list(worlds[source]["users"]) for source in PAIR[1:]]
        if not all(users):
            return
        one, other = (PersonRecord(source, *random.choice(keys)) for source, keys in zip(PAIR[1:], users, strict=True))
        decision = PersonDecision(
            district_id=PAIR[0], verb=random.choice(("link", "unlink")), one=one, other=other, by="A. Steward"
        )
        for workspace in (self.parts, self.whole):
            with suppress(ConflictingDecision), workspace.warehouse.write(directly=True) as tx:
                write_decision(tx, decision, self.at)


def publish(workspace: Workspace, source: str, before: World, after: World, at: datetime) -> None:
    """Publish a world of a feed after another one."""
    warehouse = workspace.warehouse
    number = in_transaction(warehouse).open_import(
        kind="upload", district_id=PAIR[0], source=source, upload_id=f"u{at:%d%H}", started_at=at
    )
    changes = {table: _change(workspace, source, table, (before.get(table, {}), after.get(table, {}))) for table in after}
    done = ImportResult(import_id=number, status="published", finished_at=at)
    in_transaction(warehouse).publish(done, changes, warehouse.roster.base(PAIR[0], source))


def _change(workspace: Workspace, source: str, table: str, rows: tuple[Mapping[Key, Any], Mapping[Key, Any]]) -> TableChange:
    before, after = rows
    current = workspace.warehouse.roster.current(PAIR[0], source, table).to_pylist()
    versions = {key_of(table, row): row["version_id"] for row in current}
    gone = [version for key, version in versions.items() if after.get(key) != before.get(key)]
    new = [row for key, row in after.items() if before.get(key) != row]
    return TableChange(opens=opens(table, new), closes=closes(gone))


def as_counts(by_rule: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    return {table: dict(counts) for table, counts in by_rule.items()}


def state(workspace: Workspace) -> list[Any]:
    """Return all differences and links, open and closed, without their numbers."""
    with workspace.warehouse.read_people() as people, workspace.warehouse.read_reconciliation() as session:
        rows = [*session.all_differences(PAIR[0]), *people.links(PAIR[0], past=True)]
    return sorted(str({name: value for name, value in row.items() if name not in ("difference_id", "link_id")}) for row in rows)


@pytest.fixture
def twins(tmp_path: Path, warehouse_url: str) -> Iterator[Twins]:
    """What changed is compared in either database, and everything in SQLite."""
    parts = Workspace.open(tmp_path / "parts")
    found = Twins(Workspace(replace(parts.settings, warehouse=warehouse_url)), Workspace.open(tmp_path / "whole"))
    yield found
    found.parts.close()
    found.whole.close()


@pytest.mark.sampled
@pytest.mark.parametrize("seed", [pytest.param(0, marks=pytest.mark.both_databases), *every(20, range(60))[1:]])
def test_what_changed_is_compared_as_all_would_be(seed: int, twins: Twins) -> None:
    random = Random(seed)
    twins.settings = SETTINGS[seed % len(SETTINGS)]
    worlds: dict[str, World] = {}
    for source in PAIR[1:]:
        worlds[source] = mutated(random, EMPTY, 60)
        twins.publish(source, EMPTY, worlds[source])
    twins.compare()
    partial = 0
    for _ in range(STEPS):
        for source in random.choice((PAIR[1:2], PAIR[2:], PAIR[1:])):
            before = worlds[source]
            after, change = renamed(random, before) if random.random() < 0.2 else (mutated(random, before, 4), {})
            twins.publish(source, before, {**after, "id_changes": change})
            if random.random() < 0.15:  # an undo: the rows of before are published again
                twins.publish(source, after, before)
                after = before
            worlds[source] = after
        partial += twins.compare()
        if random.random() < 0.2:
            twins.decide(random, worlds)
            twins.compare()
    assert partial >= STEPS // 3


@pytest.mark.parametrize(
    ("feed", "kind"),
    [
        pytest.param("clever", "student", marks=pytest.mark.both_databases),
        ("clever", "user"),
        ("oneroster", "student"),
        ("oneroster", "user"),
    ],
)
def test_enrollments_follow_a_user_who_is_matched_from_now_on(twins: Twins, feed: str, kind: str) -> None:
    worlds = {
        source: _one_class(kind, user_id, f"{user_id}@x.org") for source, user_id in zip(PAIR[1:], ("u0", "u1"), strict=True)
    }
    other = worlds[PAIR[1] if feed == PAIR[2] else PAIR[2]]
    for source in PAIR[1:]:
        twins.publish(source, EMPTY, worlds[source])
    twins.compare()
    before = worlds[feed]
    (mail,) = {row["email"] for row in other["users"].values()}
    twins.publish(feed, before, {**before, "users": {key: {**row, "email": mail} for key, row in before["users"].items()}})

    assert _open_tables(twins.whole).count("enrollments") == 2
    assert twins.compare()
    assert "enrollments" not in _open_tables(twins.whole)


def _open_tables(workspace: Workspace) -> list[str]:
    with workspace.warehouse.read_reconciliation() as session:
        return [row["table_name"] for row in session.all_differences(PAIR[0]) if row["closed_at"] is None]


def _one_class(kind: str, user_id: str, email: str) -> World:
    """Return a feed with one user in one section."""
    user = {"user_kind": kind, "user_id": user_id}
    section = {
        "section_id": "s0",
        "course_id": "c0",
        "organization_id": "o0",
        "term_id": "t0",
        "number": "1",
        "period": "1",
        "name": "M",
    }
    rows = {
        "organizations": {"organization_id": "o0", "number": "1", "name": "A", "type": "school"},
        "terms": {"term_id": "t0", "name": "T", "start_at": BEGAN, "end_at": BEGAN + timedelta(days=90)},
        "users": {**user, "first_name": "Ann", "last_name": "Lee", "email": email, "status": "active"},
        "user_roles": {**user, "organization_id": "o0", "role": "student"},
        "courses": {"course_id": "c0", "organization_id": "o0", "number": "n0", "name": "M"},
        "sections": section,
        "enrollments": {
            "course_id": "c0",
            "section_id": "s0",
            "organization_id": "o0",
            **user,
            "role": "student",
            "status": "active",
        },
    }
    return {table: {key_of(table, row): row} for table, row in rows.items()}


def seat(world: World, section: str = "s0") -> dict[str, Any]:
    """Return the enrollment of the one user of `_one_class`, in a section."""
    (row,) = world["enrollments"].values()
    return {**row, "section_id": section}


def moved(world: World, section: str) -> World:
    row = seat(world, section)
    sections = {
        ("s0",): world["sections"]["s0",],
        (section,): {**world["sections"]["s0",], "section_id": section, "number": section},
    }
    return {**world, "sections": sections, "enrollments": {key_of("enrollments", row): row}}


def test_users_whom_no_import_touched_match_as_links_by_rules_say(twins: Twins) -> None:
    """Not as links by decision do, nor as those with people who left."""
    worlds = {source: _one_class("student", user_id, "a@x.org") for source, user_id in zip(PAIR[1:], ("u0", "u1"), strict=True)}
    for source in PAIR[1:]:
        twins.publish(source, EMPTY, worlds[source])
    twins.compare()
    after = moved(worlds["clever"], "s1")
    twins.publish("clever", worlds["clever"], after)
    assert twins.compare()
    assert _open_tables(twins.whole).count("enrollments") == 2  # the user is one, the sections are two

    one, other = PersonRecord("clever", "student", "u0"), PersonRecord("oneroster", "student", "u1")
    for verb in ("unlink", "link"):
        decision = PersonDecision(district_id=PAIR[0], verb=verb, one=one, other=other, by="A. Steward")
        for workspace in (twins.parts, twins.whole):
            with workspace.warehouse.write(directly=True) as tx:
                write_decision(tx, decision, twins.at)
        twins.compare()
        before, after = after, moved(after, "s2" if verb == "unlink" else "s0")
        twins.publish("clever", before, after)
        assert twins.compare()
    assert "enrollments" not in _open_tables(twins.whole)

    left = {**worlds["oneroster"], "users": {}, "user_roles": {}, "enrollments": {}}
    twins.publish("oneroster", worlds["oneroster"], left)
    assert twins.compare()
    twins.publish("clever", after, moved(after, "s3"))
    assert twins.compare()


@pytest.mark.parametrize("feed", PAIR[1:])
def test_sections_that_a_later_rule_names_are_parted_by_one_with_the_others_id(twins: Twins, feed: str) -> None:
    """The IDs differ, and number and period are the same: until one feed has a section with the ID of the other."""
    worlds = {source: _one_class("student", "u0", "a@x.org") for source in PAIR[1:]}
    section = {**worlds["oneroster"]["sections"]["s0",], "section_id": "t0"}
    row = seat(worlds["oneroster"], "t0")
    worlds["oneroster"] |= {"sections": {("t0",): section}, "enrollments": {key_of("enrollments", row): row}}
    for source in PAIR[1:]:
        twins.publish(source, EMPTY, worlds[source])
    twins.compare()
    assert "enrollments" not in _open_tables(twins.whole)

    before = worlds[feed]
    other = {**section, "section_id": "t0" if feed == "clever" else "s0", "number": "9"}
    twins.publish(feed, before, {**before, "sections": {**before["sections"], (other["section_id"],): other}})
    assert twins.compare()
    assert _open_tables(twins.whole).count("enrollments") == 2
