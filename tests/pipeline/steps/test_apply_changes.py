"""Uploads of changes on the whole road: what a row did, and what becomes of rows that did not fit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from roster_etl.canonical.history import history_table
from roster_etl.canonical.ledger import OVERRIDES
from roster_etl.canonical.roster import TABLES
from roster_etl.engine.changes import ChangeFile, ChangeResult, IdChange, apply_changes, apply_with_retries
from roster_etl.engine.changes.retries import Prepare
from roster_etl.mapping.change_plan import ChangePlan
from roster_etl.pipeline import import_upload as road
from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.lineage.trace import trace_record
from roster_etl.pipeline.maintenance.purge import PurgeTarget, purge
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.reporting.next_steps import next_steps
from roster_etl.pipeline.review.approve import ApprovalRequest, PlanOutdated, apply_approval, validate_approval
from roster_etl.pipeline.review.dry_run import check_upload
from roster_etl.pipeline.review.override import Target, set_override
from roster_etl.pipeline.review.undo import plan_undo, publish_undo
from roster_etl.pipeline.steps import apply_changes as step
from roster_etl.pipeline.steps import waiting_rows
from roster_etl.pipeline.steps.plan import plan_import
from roster_etl.pipeline.steps.retry_quarantine import quarantined_rows
from roster_etl.pipeline.steps.roster_snapshot_info import RosterSnapshotInfo
from roster_etl.pipeline.steps.waiting_rows import FeedQuarantine
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.spec.errors import FrameError
from roster_etl.store.registry.registry import District, Feed
from roster_etl.store.warehouse import RosterReader
from roster_etl.vendors import vendor
from tests.stagings import lose

USERS = "user_id,login_id,status,full_name\n"
COURSE = "course_id,short_name,long_name,status\nc1,C,Course,active\n"
ENROLLMENT = "course_id,user_id,role,status\nc1,u1,student,active\n"


class Roster:
    """A Canvas district, and the uploads that it has had."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.workspace, self.folder, self.count = Workspace.open(home), folder, 0
        self.tried = 0  # rows of the quarantine that the last upload tried again
        self.workspace.registry.add(District(id="lincoln", feeds=(Feed(format="canvas"),)))

    def put(self, **files: str) -> Path:
        self.count += 1
        folder = self.folder / str(self.count)
        folder.mkdir(parents=True)
        for name, text in files.items():
            (folder / f"{name}.csv").write_text(text, encoding="utf-8")
        return folder

    def upload(self, options: dict[str, str] | None = None, **files: str) -> dict[str, Any]:
        order = Order(district_id="lincoln", source="canvas", path=str(self.put(**files)), options=options or {})
        return outcome(self.workspace, import_upload(self.workspace, order))

    def records(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        found = self.workspace.warehouse.roster.current_hashes("lincoln", "canvas", table)
        rows = self.workspace.warehouse.roster.versions(table, found.column("version_id"))
        return sorted(tuple(row[name] for name in columns) for row in rows.to_pylist())

    @property
    def quarantine(self) -> list[tuple[str, int]]:
        return [(q["file"], q["row"]) for q in self.workspace.warehouse.roster.open_quarantine("lincoln", "canvas").to_pylist()]


def all_id_changes(reader: RosterReader) -> list[IdChange]:
    """Return the ID changes of all imports that count, in their order."""
    counted = effective_imports(reader)
    found = [
        row for row in reader.trace("id_changes", {}, "lincoln", "canvas").to_pylist() if row["valid_from_import"] in counted
    ]
    found.sort(key=lambda row: (row["valid_from_import"], row["source_file"] or "", row["source_row"] or 0))
    return [IdChange(import_id=r["valid_from_import"], entity=r["entity"], old=r["old_id"], new=r["new_id"]) for r in found]


def effective_imports(reader: RosterReader) -> frozenset[int]:
    """Return the imports whose effect lasts: an undo takes back all since the one that it was asked for, undos included."""
    lasting: frozenset[int] = frozenset()
    before: dict[int, frozenset[int]] = {}
    for row in reversed(reader.published_imports("lincoln", "canvas")):
        before[row["import_id"]] = lasting
        lasting = before[min(row["summary"]["undoes"])] if row["kind"] == "undo" else lasting | {row["import_id"]}
    return lasting


def truly_removed(reader: RosterReader, name: str) -> pa.Table:
    """Return the last version of each record that some import removed whose effect lasts, and that is not there now."""
    counted, last = effective_imports(reader), dict[tuple[Any, ...], dict[str, Any]]()
    for row in reader.trace(name, {}, "lincoln", "canvas").to_pylist():  # oldest first
        if row["valid_to_import"] is None or row["valid_to_import"] in counted:
            last[tuple(row[column] for column in TABLES[name].key)] = row
    gone = [row for row in last.values() if row["valid_to_import"] is not None and row["close_reason"] != "changed"]
    return pa.Table.from_pylist(sorted(gone, key=lambda row: row["version_id"]), schema=TABLES[name].full_schema)


@pytest.fixture
def roster(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Roster:
    """A district whose uploads are applied twice (`applied_twice`)."""
    return applied_twice(Roster(home, tmp_path / "uploads"), monkeypatch)


def applied_twice(made: Roster, monkeypatch: pytest.MonkeyPatch) -> Roster:
    """Let uploads be applied beside what their rows may name and what may apply now, and beside all: removed records, ID changes, waiting rows."""
    feed = ("lincoln", "canvas")

    def applied(
        plan: ChangePlan, own: Sequence[ChangeFile], current: Mapping[str, pa.Table], quarantine: FeedQuarantine, prepare: Prepare
    ) -> ChangeResult:
        result, reader = apply_with_retries(plan, own, current, quarantine, prepare), made.workspace.warehouse.roster
        made.tried, waiting = quarantine.tried.num_rows, reader.open_quarantine(*feed)
        if not waiting.num_rows and not _is_anything_gone(made.workspace):
            return result
        given = replace(prepare(list(quarantined_rows(quarantine.upload, waiting))), id_changes=all_id_changes(reader))
        ids = reader.current_hashes(*feed, "id_changes").column("version_id")
        given = replace(given, current={**given.current, "id_changes": reader.versions("id_changes", ids)})
        everything = {name: truly_removed(reader, name) for name in given.current}
        hidden = {
            name: step._with_hidden(reader, feed, name, past, given.id_changes, reader.reverted_imports(*feed))
            for name, past in everything.items()
        }
        whole = apply_changes(plan, replace(given, past=hidden))
        assert {name: sorted(map(repr, table.to_pylist())) for name, table in whole.tables.items()} == {
            name: sorted(map(repr, table.to_pylist())) for name, table in result.tables.items()
        }
        assert whole.findings.to_pylist() == result.findings.to_pylist()
        assert sorted(whole.released) == sorted(result.released)
        assert sorted(whole.superseded) == sorted(result.superseded)
        return result

    monkeypatch.setattr(step, "apply_with_retries", applied)
    return made


def _is_anything_gone(workspace: Workspace) -> bool:
    gone = [sa.exists().where(history_table(name).c.valid_to_import.is_not(None)) for name in TABLES]
    with workspace.warehouse.reading() as connection:
        return bool(connection.execute(sa.select(sa.or_(*gone))).scalar_one())


def told(document: dict[str, Any]) -> list[tuple[str, str, str | None, int | None]]:
    return [(f["severity"], f["code"], f["file"], f["row"]) for f in document["findings"]]


def test_a_record_that_no_row_names_stays(roster: Roster) -> None:
    roster.upload(u=f"{USERS}u1,a,active,Ann\nu2,b,active,Bob\n")
    document = roster.upload(u=f"{USERS}u2,b,active,Bob B\n")

    assert document["changes"]["users"] == {"created": 0, "updated": 1, "deleted": 0}
    assert roster.records("users", "user_id", "full_name") == [("u1", "Ann"), ("u2", "Bob B")]


def test_a_deleted_record_closes_for_that_reason_and_can_come_back(roster: Roster) -> None:
    roster.upload(u=f"{USERS}u1,a,active,Ann\n")
    roster.upload(u=f"{USERS}u1,a,deleted,\n")
    gone = roster.workspace.warehouse.roster.last_removed_versions("lincoln", "canvas", "users").to_pylist()
    roster.upload(u=f"{USERS}u1,a,active,\n")

    assert [(row["user_id"], row["close_reason"]) for row in gone] == [("u1", "deleted")]
    assert roster.records("users", "user_id", "full_name") == [("u1", "Ann")]
    assert roster.workspace.warehouse.roster.last_removed_versions("lincoln", "canvas", "users").num_rows == 0


def test_ids_that_changed_are_followed_by_what_waits_and_by_what_is_gone_also_when_the_old_id_is_anothers(roster: Roster) -> None:
    rename = "old_id,new_id,type\n"
    roster.upload(u=f"{USERS}u1,a,active,Ann\nu2,b,active,Bob\n", e="course_id,user_id,role,status\nc1,u2,student,active\n")
    roster.upload(u=f"{USERS}u1,a,deleted,\n")
    roster.upload(r=f"{rename}u1,n1,user\nu2,m2,user\n", u=f"{USERS}u1,c,active,Cy\nu2,d,active,Di\n")
    document = roster.upload(c=COURSE, u=f"{USERS}n1,a,active,\n", r=f"{rename}u1,n1,user\n")

    assert [(f["code"], f["row"]) for f in document["findings"] if f["severity"] == "reject"] == [("already_exists", 2)]
    assert roster.records("users", "user_id", "full_name") == [("m2", "Bob"), ("n1", "Ann"), ("u1", "Cy"), ("u2", "Di")]
    assert roster.records("enrollments", "course_id", "user_id") == [("c1", "m2")]


def test_several_files_of_a_kind_apply_in_the_order_of_their_paths(roster: Roster) -> None:
    roster.upload(b=f"{USERS}u1,a,active,Second\n", a=f"{USERS}u1,a,active,First\n")

    assert roster.records("users", "full_name", "source_file") == [("Second", "b.csv")]


def test_kinds_load_in_their_order_whatever_the_names_of_their_files(roster: Roster) -> None:
    document = roster.upload(a_enrollments=ENROLLMENT, b_courses=COURSE, c_users=f"{USERS}u1,a,active,Ann\n")

    assert told(document) == []
    assert roster.records("enrollments", "course_id", "user_id", "role") == [("c1", "u1", "student")]


def test_an_absent_column_leaves_values_alone_also_beside_a_file_that_has_it(roster: Roster) -> None:
    header = "section_id,course_id,name,status"
    roster.upload(c=COURSE, s=f"{header},start_date\ns1,c1,One,active,2026-09-01\ns2,c1,Two,active,2026-09-01\n")
    roster.upload(a=f"{header}\ns1,c1,One,active\n", b=f"{header},start_date\ns2,c1,Two,active,\n")

    assert [(s, at and at.isoformat()[:10]) for s, at in roster.records("sections", "section_id", "start_at")] == [
        ("s1", "2026-09-01"),
        ("s2", None),
    ]


def test_a_row_that_did_not_fit_is_tried_again_and_released(roster: Roster) -> None:
    first = roster.upload(u=f"{USERS}u1,a,active,Ann\n", e=ENROLLMENT)
    second = roster.upload(u=f"{USERS}u2,b,active,Bob\n")
    waiting = roster.quarantine
    third = roster.upload(c=COURSE)

    assert told(first) == [("reject", "unknown_reference", "e.csv", 2)]
    assert told(second) == []
    assert waiting == [("e.csv", 2)]
    assert told(third) == [("info", "released", "e.csv", 2)]
    assert roster.quarantine == []
    assert roster.records("enrollments", "user_id") == [("u1",)]


def test_a_released_row_is_traced_to_the_upload_that_it_came_in(roster: Roster) -> None:
    roster.upload(u=f"{USERS}u1,a,active,Ann\nu2,b,active,Bob\n", e=ENROLLMENT.replace("u1", "u2"))
    roster.upload(c=COURSE, e="course_id,user_id,role,status\nc1,u1,teacher,active\n")
    key = {"course_id": "c1", "user_id": "u2"}
    (version,) = trace_record(roster.workspace, "lincoln", "enrollments", key)["versions"]

    assert (version["import_id"], version["file"], version["row"]) == (2, "e.csv", 2)
    assert version["fields"]["role"]["reads"][0]["text"] == "student"


def test_a_newer_row_about_the_same_record_takes_the_place_of_one_in_quarantine(roster: Roster) -> None:
    roster.upload(u=f"{USERS}u1,a,gone,Ann\n")
    before = roster.quarantine
    roster.upload(u=f"{USERS}u1,a,active,Ann A\n")

    assert before == [("u.csv", 2)]
    assert roster.quarantine == []
    assert roster.records("users", "full_name") == [("Ann A",)]


def test_rows_that_the_roster_does_not_take_are_counted_with_their_file(roster: Roster) -> None:
    document = roster.upload(u=f"{USERS}u1,a,active,Ann\nu2,b,gone,Bob\n", e=ENROLLMENT)
    counts = {file["kind"]: (file["rows_read"], file["rows_accepted"], file["rows_rejected"]) for file in document["files"]}

    assert counts == {"users": (2, 1, 1), "enrollments": (1, 0, 1)}


def test_an_upload_most_of_whose_rows_the_roster_refuses_is_held_and_tries_nothing_again(roster: Roster) -> None:
    rows = "".join(f"c9,u{n},student,active\n" for n in range(20))
    roster.upload(u=f"{USERS}u1,a,active,Ann\n")
    document = roster.upload(e=f"course_id,user_id,role,status\n{rows}")

    assert (document["status"], document["hold"]["reason"]) == ("held", "quality_gate_failed")
    assert roster.quarantine == []


def test_a_hold_of_changes_waits_for_a_person_and_is_planned_anew_on_top_of_what_came_later(roster: Roster) -> None:
    roster.upload(c=COURSE)
    rows = "".join(f"c1,u{n},student,active\n" for n in range(20))
    held = roster.upload(e=f"course_id,user_id,role,status\n{rows}")
    later = roster.upload(u=USERS + "".join(f"u{n},l{n},active,Ann {n}\n" for n in range(20)))
    number = held["import_id"]
    assert (held["status"], later["status"]) == ("held", "published")
    assert [hold["import_id"] for hold in roster.workspace.warehouse.ledger.holds("lincoln")] == [number]

    command = f"roster-etl rerun --district lincoln --format canvas --import {number} --rollback"
    with pytest.raises(PlanOutdated) as error:
        validate_approval(roster.workspace, ApprovalRequest(import_id=number, by="A. Steward"))
    assert command in error.value.message
    assert command in {step.command for step in next_steps(outcome(roster.workspace, number))}

    again = import_upload(roster.workspace, Order(district_id="lincoln", source="canvas", archived=number, rollback=True))
    assert [hold["import_id"] for hold in roster.workspace.warehouse.ledger.holds("lincoln")] == [again]
    apply_approval(roster.workspace, validate_approval(roster.workspace, ApprovalRequest(import_id=again, by="A. Steward")))
    assert len(roster.records("enrollments", "user_id")) == 20


def _held(roster: Roster) -> int:
    """Publish two uploads and leave a third held, which takes another person's place in every row. Returns its import."""
    for number in (20, 21):
        roster.upload(u=USERS + "".join(f"u{n},l{n},active,Ann {n}\n" for n in range(number)))
    held = roster.upload(u=USERS + "".join(f"u{n},l{n},active,Bo {n}\n" for n in range(20)))
    assert held["status"] == "held"
    return int(held["import_id"])


def test_a_held_upload_of_changes_outlasts_an_undo(roster: Roster) -> None:
    held = _held(roster)
    number = plan_undo(roster.workspace, 2, "A. Steward")

    publish_undo(roster.workspace, number, roster.workspace.warehouse.ledger.hold(number)["plan_sha256"], "A. Steward")

    assert [hold["import_id"] for hold in roster.workspace.warehouse.ledger.holds("lincoln")] == [held]


def test_a_held_upload_of_changes_outlasts_a_purge_that_leaves_its_bytes(roster: Roster) -> None:
    held = _held(roster)

    purge(roster.workspace, PurgeTarget(district_id="lincoln", person=("user", "u20")), by="A. Steward")
    assert [hold["import_id"] for hold in roster.workspace.warehouse.ledger.holds("lincoln")] == [held]

    purge(roster.workspace, PurgeTarget(district_id="lincoln", age=timedelta(0)), by="A. Steward")
    assert roster.workspace.warehouse.ledger.holds("lincoln") == []
    assert roster.workspace.archive.read_manifest("lincoln", held)["hold"]["decision"] == "superseded"


@pytest.mark.parametrize(
    "lost",
    [
        ("validated", "findings/users"),
        ("applied", "quarantine"),
        ("gated", "verdicts"),
        ("validated", "result/users"),
        ("applied", "changes"),
    ],
    ids=" ".join,
)
def test_what_a_step_left_and_is_lost_before_publishing_stops_the_import(
    roster: Roster, monkeypatch: pytest.MonkeyPatch, lost: tuple[str, str]
) -> None:
    def losing(workspace: Workspace, upload: Upload, tables: Any, feed: RosterSnapshotInfo) -> Any:
        lose(workspace.home / "staging", *lost)
        return plan_import(workspace, upload, tables, feed)

    monkeypatch.setattr(road, "plan_import", losing)
    with pytest.raises(FrameError, match=": ".join(lost)):
        roster.upload(u=USERS + "u1,l1,active,Ann\nu2,,active,Bo\n")

    (row,) = roster.workspace.warehouse.ledger.imports("lincoln")
    assert row["status"] == "failed"
    assert roster.records("users", "user_id") == []


def test_a_refused_file_stops_every_removal(roster: Roster) -> None:
    term = "term_id,name,status\nt1,Fall,active\n"
    courses = "course_id,short_name,long_name,status,term_id\n"
    roster.upload(t=term, c=f"{courses}c1,C,One,active,t1\nc2,C,Two,active,t1\n")
    batch = {"batch_mode": "true", "batch_mode_term_id": "t1", "delete_threshold_pct": "100"}
    held_back = roster.upload(batch, c=f"{courses}c1,C,One,active,t1\n", x="Name\nAnn\n")
    left = roster.records("courses", "course_id")
    removed = roster.upload(batch, c=f"{courses}c1,C,One,active,t1\n")

    assert "incomplete_upload" in {f["code"] for f in held_back["findings"]}
    assert left == [("c1",), ("c2",)]
    assert removed["changes"]["courses"]["deleted"] == 1


def test_a_header_alone_counts_as_supplied_in_batch_mode_only(roster: Roster) -> None:
    term = "term_id,name,status\nt1,Fall,active\n"
    courses = "course_id,short_name,long_name,status,term_id\n"
    roster.upload(t=term, c=f"{courses}c1,C,One,active,t1\n")
    roster.upload(c=courses)
    left = roster.records("courses", "course_id")
    roster.upload({"batch_mode": "true", "batch_mode_term_id": "t1", "delete_threshold_pct": "100"}, c=courses)

    assert left == [("c1",)]
    assert roster.records("courses", "course_id") == []


def test_a_data_set_is_compared_with_its_last_upload(roster: Roster) -> None:
    same = {"diffing_data_set_identifier": "sis"}
    roster.upload(same, u=f"{USERS}u1,a,active,Ann\nu2,b,active,Bob\nu3,c,active,Cy\n")
    roster.upload(u=f"{USERS}u1,a,active,By hand\n")
    document = roster.upload(same, u=f"{USERS}u1,a,active,Ann\nu3,c,active,Cyrus\n")

    assert document["changes"]["users"] == {"created": 0, "updated": 1, "deleted": 1}
    assert roster.records("users", "user_id", "full_name") == [("u1", "By hand"), ("u3", "Cyrus")]
    assert [
        row["close_reason"]
        for row in roster.workspace.warehouse.roster.last_removed_versions("lincoln", "canvas", "users").to_pylist()
    ] == ["diffed"]


def test_a_row_without_an_id_keeps_the_record_that_it_describes(roster: Roster) -> None:
    term = "term_id,name,status\nt1,Fall,active\n"
    courses = "course_id,short_name,long_name,status,term_id\n"
    more = {"diffing_data_set_identifier": "sis", "delete_threshold_pct": "100"}
    roster.upload(
        more, u=f"{USERS}u1,a,active,Ann\nu2,b,active,Bob\n", t=term, c=f"{courses}c1,C,One,active,t1\nc2,D,Two,active,t1\n"
    )
    roster.upload(
        more, u=f"{USERS}u1,a,active,Ann\n,b,active,Bob\n", t=term, c=f"{courses}c1,C,One,active,t1\nc2,D,Two,active,t1\n"
    )
    batch = {"batch_mode": "true", "batch_mode_term_id": "t1", "delete_threshold_pct": "100"}
    roster.upload(batch, c=f"{courses}c1,C,One,active,t1\n,D,Two,active,t1\n")

    assert roster.records("users", "user_id") == [("u1",), ("u2",)]
    assert roster.records("courses", "course_id") == [("c1",), ("c2",)]


def test_a_header_alone_drops_no_record_of_a_data_set_and_later_uploads_look_past_it(roster: Roster) -> None:
    same = {"diffing_data_set_identifier": "sis", "delete_threshold_pct": "100"}
    roster.upload(same, u=f"{USERS}u1,a,active,Ann\nu2,b,active,Bob\n")
    document = roster.upload(same, u=USERS)
    left = roster.records("users", "user_id")
    roster.upload(same, u=f"{USERS}u1,a,active,Ann\n")

    assert ("warning", "diff_not_possible", "u.csv", None) in told(document)
    assert left == [("u1",), ("u2",)]
    assert roster.records("users", "user_id") == [("u1",)]


def test_a_data_set_that_began_with_a_header_alone_is_compared_by_the_columns_of_its_file(roster: Roster) -> None:
    same = {"diffing_data_set_identifier": "sis"}
    roster.upload(same, u=USERS, c=COURSE)
    document = roster.upload(same, u=f"{USERS}u1,a,active,Ann\n", c=COURSE)

    assert told(document) == []
    assert roster.records("users", "user_id") == [("u1",)]


def test_five_uploads_in_a_row_that_differ_too_much_stop_the_data_set_until_it_is_started_afresh(roster: Roster) -> None:
    options = {"diffing_data_set_identifier": "sis", "change_threshold": "1"}
    statuses = []
    for size in (1, 2, 3, 4, 5, 6, 7):
        rows = "".join(f"u{n},l{n},active,Ann\n" for n in range(size * 3))
        statuses.append(roster.upload(options, u=USERS + rows)["status"])
    afresh = roster.upload({**options, "diffing_remaster_data_set": "true"}, u=f"{USERS}u1,l1,active,Ann\n")
    after = roster.upload(options, u=f"{USERS}u1,l1,active,Ann B\n")

    assert statuses == ["published"] * 6 + ["rejected"]
    assert [afresh["status"], after["status"]] == ["published", "published"]


def test_a_check_compares_with_the_roster_and_writes_nothing(roster: Roster) -> None:
    roster.upload({"diffing_data_set_identifier": "sis"}, u=f"{USERS}u1,a,active,Ann\n", e=ENROLLMENT)
    path = roster.put(c=COURSE, u=f"{USERS}u2,b,active,Bob\n")
    document = check_upload(
        roster.workspace, str(path), "canvas", district_id="lincoln", options={"diffing_data_set_identifier": "sis"}
    )

    assert document["status"] == "publishable"
    assert document["changes"]["users"] == {"created": 1, "updated": 0, "deleted": 1}
    assert roster.quarantine == [("e.csv", 2)]
    assert roster.records("users", "user_id") == [("u1",)]


def test_a_stewards_edit_outlasts_uploads_until_one_is_told_to_win(roster: Roster) -> None:
    roster.upload(u=f"{USERS}u1,a,active,Ann\n")
    _edit(roster, "full_name", "Anna")
    roster.upload(u=f"{USERS}u1,a,active,Ann Marie\n")
    kept = roster.records("users", "full_name")
    roster.upload({"override_sis_stickiness": "true", "clear_sis_stickiness": "true"}, u=f"{USERS}u1,a,active,Ann Lee\n")

    assert kept == [("Ann",)]
    assert roster.records("users", "full_name") == [("Ann Lee",)]
    assert roster.workspace.warehouse.roster.overrides("lincoln", "canvas") == []


def test_an_upload_can_leave_edits_behind(roster: Roster) -> None:
    roster.upload(u=f"{USERS}u1,a,active,Ann\n")
    roster.upload({"override_sis_stickiness": "true", "add_sis_stickiness": "true"}, u=f"{USERS}u1,a,active,Ann Lee\n")
    edits = roster.workspace.warehouse.roster.overrides("lincoln", "canvas")
    roster.upload(u=f"{USERS}u1,a,active,Somebody\n")

    assert "full_name" in {edit["field"] for edit in edits}
    assert {json.loads(edit["key"])["user_kind"] for edit in edits} == {"user"}
    assert roster.records("users", "full_name") == [("Ann Lee",)]


def _edit(roster: Roster, field: str, value: str) -> None:
    """Enter a steward's edit, as a later import finds it in the ledger."""
    row = {
        "district_id": "lincoln",
        "source": "canvas",
        "table_name": "users",
        "key": json.dumps({"user_kind": "user", "user_id": "u1"}),
        "field": field,
        "value": value,
        "set_by": "Pat",
        "set_at": datetime.now(UTC),
    }
    with roster.workspace.warehouse._writing() as connection:
        connection.execute(sa.insert(OVERRIDES).values(**row))


def test_a_sample_and_its_next_day_do_what_they_say(roster: Roster, tmp_path: Path) -> None:
    made = vendor("canvas")
    write_sample(made, tmp_path / "a", students=60, seed=3)
    changes = write_next_day(made, tmp_path / "a", tmp_path / "b", seed=4)
    orders = [Order(district_id="lincoln", source="canvas", path=str(tmp_path / day)) for day in "ab"]
    first, second = (outcome(roster.workspace, import_upload(roster.workspace, order)) for order in orders)
    refused = {file["kind"]: file["rows_rejected"] for file in second["files"] if file["rows_rejected"]}

    assert told(first) == []
    assert refused == {change.file: change.count for change in changes if change.kind == "refused"}
    assert second["changes"]["id_changes"]["created"] == 2
    assert sorted(f["code"] for f in second["findings"]) == ["bad_date", "bad_status", "unknown_reference"]


def test_two_people_under_one_id_stay_apart_for_more_than_one_night(roster: Roster):
    two = f"{USERS}u1,ann,active,Ann Lee\nu1,bob,active,Bob Ray\n"

    roster.upload(users=two, courses=COURSE, enrollments=ENROLLMENT)
    roster.upload(users=f"{USERS}u2,cy,active,Cy Ito\n")

    assert roster.records("users", "user_id", "full_name") == [("u1", "Ann Lee"), ("u2", "Cy Ito")]
    assert roster.records("enrollments", "user_id") == []

    roster.upload(users=f"{USERS}u1,ann,active,Ann Lee\n")

    assert roster.records("enrollments", "user_id") == [("u1",)]


WAITING = "course_id,user_id,role,status\nc1,u2,student,active\nc1,u3,student,active\n"


def test_of_the_rows_that_wait_only_those_are_tried_of_which_something_happened(roster: Roster) -> None:
    roster.upload(c=COURSE, u=f"{USERS}u1,a,active,Ann\n", e=WAITING)
    tried = []
    for files in (
        {"u": f"{USERS}u1,a,active,Anna\n"},
        {"u": f"{USERS}u3,c,active,Cy\n"},
        {"e": "course_id,user_id,role,status\nc1,u2,student,deleted\n"},
        {"u": f"{USERS}u2,b,active,Bob\n"},
    ):
        roster.upload(**files)
        tried.append(roster.tried)

    assert tried == [0, 1, 0, 1]  # the third upload takes the place of a row that waits, which need not be tried
    assert roster.records("enrollments", "user_id") == [("u3",)]


def test_rows_that_wait_for_one_another_in_a_chain_are_each_read_once_and_apply_together(roster: Roster) -> None:
    head = "account_id,parent_account_id,name,status\n"
    for number in reversed(range(5)):
        roster.upload(a=f"{head}a{number},a{number + 1},A,active\n")
    roster.upload(a=f"{head}a5,,A,active\n")  # what waited is tried before it
    roster.upload(a=f"{head}z,,Z,active\n")

    assert (roster.tried, roster.quarantine) == (5, [])
    assert len(roster.records("organizations", "organization_id")) == 7


def test_after_very_many_edits_all_rows_are_tried_again(roster: Roster, monkeypatch: pytest.MonkeyPatch) -> None:
    roster.upload(c=COURSE, u=f"{USERS}u1,a,active,Ann\n", e=WAITING)
    edit = Target(district_id="lincoln", source="canvas", table="users", key={"user_id": "u1"}, field="full_name")
    tried = []
    for most in (2, 1):
        set_override(roster.workspace, edit, f"Ann {most}", "A. Steward")
        monkeypatch.setattr(waiting_rows, "_MOST_IMPORTS", most)
        roster.upload(t=f"term_id,name,status\nt{most},Term,active\n")
        tried.append(roster.tried)

    assert tried == [0, 2]


def test_rows_are_tried_again_after_an_edit_an_undo_a_purge_or_under_other_options(roster: Roster) -> None:
    workspace, other = roster.workspace, f"{COURSE}c2,D,Other,active\n"
    roster.upload(c=COURSE, u=f"{USERS}u1,a,active,Ann\n", e=WAITING)
    roster.upload(u=f"{USERS}u2,a,active,Bob\n")  # the login is another's
    set_override(
        workspace,
        Target(district_id="lincoln", source="canvas", table="users", key={"user_id": "u1"}, field="username"),
        "z",
        "A. Steward",
    )
    roster.upload(c=COURSE)
    assert (roster.tried, roster.records("enrollments", "user_id")) == (3, [("u2",)])

    roster.upload(u=f"{USERS}u4,q,active,Di\n")
    number = roster.upload(u=f"{USERS}u5,q,active,Eve\n")["import_id"]
    undo = plan_undo(workspace, number - 1, "A. Steward")
    publish_undo(workspace, undo, workspace.warehouse.ledger.hold(undo)["plan_sha256"], "A. Steward")
    roster.upload(c=other)
    assert (roster.tried, ("u5", "q") in roster.records("users", "user_id", "username")) == (1, False)

    purge(workspace, PurgeTarget(district_id="lincoln", person=("user", "u4")), by="A. Steward")
    roster.upload(c=COURSE)
    assert roster.tried == 1
    roster.upload(c=other)
    assert roster.tried == 0
    roster.upload({"skip_deletes": "true"}, c=COURSE)
    assert roster.tried == 1


def test_a_row_that_is_rejected_each_night_is_in_quarantine_once_also_beside_a_data_set(roster: Roster) -> None:
    for name in ("Ann", "Anna", "Annie"):
        roster.upload({"diffing_data_set_identifier": "all"}, u=f"{USERS}u1,a,active,{name}\nu9,,active,Nobody\n")

    assert roster.quarantine == [("u.csv", 3)]
