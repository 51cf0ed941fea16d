"""Two sets of one format's files: each has its own past, and one refers to what the other published."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from roster_etl.mapping.column_plan import Lookup
from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.review.dry_run import check_upload
from roster_etl.pipeline.steps.receive import receive_upload
from roster_etl.pipeline.uploads.cross_set_references import published_columns, unpublished_files
from roster_etl.pipeline.uploads.file_sets import detect_file_sets, resolve_file_set
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.registry import District, Feed
from roster_etl.vendors import discover_vendors, vendor
from tests.bells import ABSENCES, FORMAT, absence, write_absences, write_roster

FIRST_BELL, NEXT_DAY = "2026-09-02T03:00:00+00:00", "2026-09-02T15:00:00+00:00"  # the first is still September 1 in Chicago


class Town:
    """A district whose roster is published at night and whose absences come by day."""

    def __init__(self, workspace: Workspace, folder: Path) -> None:
        self.workspace, self.folder = workspace, folder
        feed = Feed(format=FORMAT, options={"absence_codes": '{"A": "absent", "T": "tardy"}'})
        workspace.registry.add(District(id="lincoln", time_zone="America/Chicago", feeds=(feed,)))

    def roster(self, **how: Any) -> str:
        return self._import(write_roster(self.folder / "roster", **how))

    def absences(self, *rows: str, at: str | None = None, header: str | None = None, **order: Any) -> str:
        folder = write_absences(self.folder / "absences", rows, **({"header": header} if header else {}))
        return self._import(folder, received_at=at, **order)

    def again(self, import_id: int) -> str:
        order = Order(district_id="lincoln", source=FORMAT, archived=import_id)
        return self.status(import_upload(self.workspace, order))

    def _import(self, folder: Path, **order: Any) -> str:
        given = Order(district_id="lincoln", source=FORMAT, path=str(folder))
        return self.status(import_upload(self.workspace, replace(given, **order)))

    def status(self, import_id: int) -> str:
        return str(self.workspace.warehouse.ledger.import_(import_id)["status"])

    @property
    def newest(self) -> dict[str, Any]:
        return self.workspace.warehouse.ledger.imports(limit=1)[0]

    def found(self) -> list[tuple[str, str, int | None]]:
        findings = self.workspace.warehouse.ledger.findings(self.newest["import_id"])
        return [(f["severity"], f["code"], f["row"]) for f in findings]

    def known(self) -> list[tuple[str, date, str]]:
        """Return the absences that are current: student, day, code."""
        rows = self.workspace.warehouse.roster.as_of(datetime.now().astimezone(), "attendance", "lincoln").to_pylist()
        return sorted((row["user_id"], row["date"], row["absence_code"]) for row in rows)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.pg)])
def town(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Town]:
    home = tmp_path / "home"
    home.mkdir()
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
        (home / "roster_etl.toml").write_text(f'[warehouse]\nurl = "{url}"\n')
    workspace = Workspace.open(home)
    if request.param == "postgresql":
        workspace.warehouse.migrate()
    yield Town(workspace, tmp_path)
    workspace.warehouse.close()


@pytest.mark.both_databases
def test_a_roster_and_absences_live_side_by_side(town: Town):
    assert town.roster() == "published"
    assert town.absences(absence(1), absence(2)) == "published"
    assert town.absences(absence(1), absence(3, code="T")) == "published"

    day = date(2026, 9, 1)
    assert town.known() == [("s1", day, "A"), ("s2", day, "A"), ("s3", day, "T")]
    sets = [(row["file_set"], row["summary"]["changes"]) for row in town.workspace.warehouse.ledger.imports()]
    assert sets[0] == ("attendance", {"attendance": {"created": 1, "updated": 0, "deleted": 0}})
    assert town.roster() == "unchanged"
    assert town.absences(absence(1), absence(3, code="T")) == "unchanged"


def test_absences_before_any_roster_are_refused_as_a_whole_and_can_be_run_again(town: Town):
    assert town.absences(absence(1)) == "rejected"
    assert town.found() == [("upload", "incomplete_upload", None)]
    refused = town.newest["import_id"]

    town.roster()

    assert town.again(refused) == "published"


def test_an_absence_of_a_student_that_nobody_published_is_refused_alone(town: Town):
    town.roster(students=20)

    assert town.absences(*(absence(n) for n in range(21))) == "published"
    assert town.found() == [("reject", "unknown_reference", 22)]


@pytest.mark.both_databases
def test_a_period_without_a_class_and_an_unlisted_code_are_doubtful(town: Town):
    town.roster()
    town.absences(absence(1, period=9), absence(2, code="x"), absence(3, code="a"))

    assert sorted(town.found()) == [("warning", "bad_value", 3), ("warning", "not_enrolled", 2)]
    assert len(town.known()) == 3


def test_a_date_that_does_not_exist_is_no_date_of_today(town: Town):
    town.roster()
    town.absences(absence(1, date="02/30/26"), absence(2, date="9/1/2026"))

    assert town.found() == [("reject", "bad_date", 2)]
    assert town.known() == [("s2", date(2026, 9, 1), "A")]


NO_DATE = "School,Student,Period,Absence.code"


def test_without_a_date_it_is_the_local_day_of_receipt_also_when_the_bytes_are_run_again(town: Town):
    town.roster()
    town.absences("10,s1,1,A", at=FIRST_BELL, header=NO_DATE)
    first = town.newest["import_id"]
    assert town.known() == [("s1", date(2026, 9, 1), "A")]

    assert town.absences("10,s1,1,A", at=NEXT_DAY, header=NO_DATE) == "published"  # the same bytes tell of another day
    both = town.known()
    assert both == [("s1", date(2026, 9, 1), "A"), ("s1", date(2026, 9, 2), "A")]

    assert town.again(first) in ("unchanged", "published")
    assert town.known() == both
    assert town.newest["received_at"] == datetime.fromisoformat(FIRST_BELL)


def test_a_held_roster_waits_for_a_person_while_absences_go_on(town: Town):
    town.roster(students=40)
    assert town.roster(students=4) == "held"
    held = town.newest["import_id"]

    assert town.absences(absence(1)) == "published"

    hold = town.workspace.warehouse.ledger.hold(held)
    assert hold is not None
    assert hold["decision"] is None
    order = Order(district_id="lincoln", source=FORMAT, approves=(held, hold["plan_sha256"], "Ann"))
    assert town.status(import_upload(town.workspace, order)) == "published"


def test_of_a_folder_with_both_sets_each_import_takes_its_own_files(town: Town):
    folder = write_absences(write_roster(town.folder / "both"), [absence(1)])
    feed = town.workspace.registry.get("lincoln").feed(FORMAT)
    assert detect_file_sets(town.workspace, str(folder), vendor(FORMAT).format, feed) == ("roster", "attendance")
    order = Order(district_id="lincoln", source=FORMAT, path=str(folder))
    assert resolve_file_set(town.workspace, order).file_set == "roster"

    upload = receive_upload(town.workspace, order).upload

    assert ABSENCES not in {member.name for member in upload.members}
    assert unpublished_files(town.workspace, replace(upload, file_set="attendance")) == ["students"]
    assert [row["code"] for row in town.workspace.warehouse.ledger.findings(upload.import_id)] == []


def test_a_check_of_both_sets_judges_the_absences_by_the_roster_beside_them(town: Town):
    folder = write_absences(write_roster(town.folder / "both"), [absence(1), absence(2, period=9)])
    document = check_upload(town.workspace, str(folder), FORMAT)
    (further,) = document["further"]

    assert (document["file_set"], document["status"]) == ("roster", "publishable")
    assert (further["file_set"], further["status"]) == ("attendance", "publishable")
    assert [finding["code"] for finding in further["findings"]] == ["not_enrolled"]


def test_what_files_of_another_set_are_asked_for_is_kept_by_some_mapping():
    for found in discover_vendors().values():
        for file_set in found.format.sets:
            of_set = found.format.for_file_set(file_set.name)
            outside = {file.name for file in of_set.other_files}
            wanted = [lookup for file in of_set.files for lookup in file.lookups() if lookup[0] in outside]
            assert all(published_columns(found, name, columns) for name, columns in wanted)


def test_a_column_is_found_where_the_roster_keeps_it_unchanged():
    catapult = vendor(FORMAT)
    (student,) = published_columns(catapult, "students", ("ID",))
    both = published_columns(catapult, "staff_to_student", ("Student", "Period"))

    assert (student.table, student.column, student.where) == ("users", "user_id", {"user_kind": "student"})
    assert [(known.table, known.column) for known in both] == [("enrollments", "user_id"), ("sections", "period")]


def test_a_table_tells_the_set_that_fills_it():
    catapult = vendor(FORMAT)

    assert [catapult.file_set_for_table(table) for table in ("users", "attendance", "terms")] == [
        "roster",
        "attendance",
        "roster",
    ]
    assert vendor("clever").file_set_for_table("users") == ""


MAPPINGS = vendor(FORMAT).mappings


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"to": "users"}, "users would be filled by roster and by another set"),
        ({"to": "term_dates"}, "a set with the mode events must fill tables of events"),
        ({"steps": (Lookup(file="students", on="Student", key="ID", take={"x": "School"}),)}, "read students of another set"),
    ],
)
def test_sets_that_are_not_apart_are_refused(change: dict[str, Any], problem: str):
    mappings = tuple(replace(mapping, **change) if mapping.source == "attendance" else mapping for mapping in MAPPINGS)

    with pytest.raises(ValueError, match=problem):
        replace(vendor(FORMAT), mappings=mappings)
