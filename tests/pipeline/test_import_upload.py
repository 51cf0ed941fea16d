"""The whole road in one process: what an upload does to a roster, and how its import ends."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from weakref import ref

import pyarrow as pa
import pytest

from roster_etl.pipeline import import_upload as steps
from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.plan_decision import PlanChanged
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.staging import Staging
from roster_etl.pipeline.steps import hold_policy
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import PASSWORD, write_sample
from roster_etl.store.registry.district import District, Feed, Window
from roster_etl.vendors import vendor
from tests.stored import stored_bytes

Rows = list[dict[str, str]]
WHO = ("lincoln", "clever")


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """A folder with an upload and the home that it was imported into."""
    folder = tmp_path_factory.mktemp("published")
    write_sample(vendor("clever"), folder / "upload", students=60, seed=3)
    with_workspace(folder / "home", lambda w: w.registry.add(District(id="lincoln", feeds=(Feed(format="clever"),))))
    assert run(folder / "home", folder / "upload")["status"] == "published"
    return folder


@pytest.fixture
def day2(published: Path, tmp_path: Path) -> Path:
    """A copy of the folder, to be spoiled."""
    return shutil.copytree(published, tmp_path / "day2")


def with_workspace(home: Path, act: Callable[[Workspace], Any]) -> Any:
    workspace = Workspace.open(home)
    try:
        return act(workspace)
    finally:
        if "warehouse" in vars(workspace):
            workspace.warehouse.close()


def run(home: Path, upload: Path | None = None, **order: Any) -> dict[str, Any]:
    """Import `upload` and return the outcome."""
    path = str(upload) if upload else None

    def act(workspace: Workspace) -> dict[str, Any]:
        return outcome(workspace, import_upload(workspace, Order(district_id=WHO[0], source=WHO[1], path=path, **order)))

    return with_workspace(home, act)


def counts(home: Path) -> dict[str, int]:
    tables = ("organizations", "users", "user_roles", "contacts", "courses", "sections", "enrollments")
    return with_workspace(home, lambda w: {table: w.warehouse.roster.count_current(*WHO, table) for table in tables})


def edit(folder: Path, name: str, change: Callable[[Rows], Rows]) -> None:
    """Rewrite one file of the upload."""
    path = folder / "upload" / name
    rows = change(list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))))
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(out.getvalue(), encoding="utf-8")


def codes(document: dict[str, Any]) -> set[str]:
    return {finding["code"] for finding in document["findings"]}


def same(document: dict[str, Any]) -> bool:
    return all(set(changes.values()) == {0} for changes in document["changes"].values())


def test_every_record_of_a_first_upload_is_published(published: Path) -> None:
    with (published / "upload" / "students.csv").open(encoding="utf-8", newline="") as text:
        students = {row["Student_id"] for row in csv.DictReader(text)}
    with (published / "upload" / "teachers.csv").open(encoding="utf-8", newline="") as text:
        teachers = {row["Teacher_id"] for row in csv.DictReader(text)}

    assert counts(published / "home")["users"] > len(students) + len(teachers)


def test_a_mapped_table_is_in_memory_only_until_it_is_staged(published: Path, tmp_path: Path, monkeypatch) -> None:
    tables: list[ref[pa.Table]] = []
    held: list[int] = []
    write, gate = Staging.write_table, steps.gate_upload

    def count_held() -> None:
        held.append(sum(table() is not None for table in tables))

    def writes(staging: Staging, name: str, rows: pa.Table) -> None:
        count_held()
        tables.append(ref(rows))
        write(staging, name, rows)

    monkeypatch.setattr(Staging, "write_table", writes)
    monkeypatch.setattr(steps, "gate_upload", lambda *given: (count_held(), gate(*given))[1])
    with_workspace(tmp_path / "home", lambda w: w.registry.add(District(id="lincoln", feeds=(Feed(format="clever"),))))

    assert run(tmp_path / "home", published / "upload")["status"] == "published"
    assert held == [0] * (len(tables) + 1)
    assert len(tables) > 5


def test_the_same_bytes_again_are_unchanged(day2: Path) -> None:
    document = run(day2 / "home", day2 / "upload")

    assert (document["status"], document["changes"]) == ("unchanged", {})


def test_an_archived_upload_that_is_run_again_is_named(day2: Path) -> None:
    same, changed = (run(day2 / "home", archived=1, options=options) for options in ({}, {"delete_threshold_pct": "20"}))

    assert (same["status"], changed["status"]) == ("unchanged", "published")
    for document in (same, changed):
        assert [
            (f["severity"], f["message"].partition(";")[0]) for f in document["findings"] if f["code"] == "archived_upload"
        ] == [("info", "The archived upload of import 1 was run again")]


def test_the_order_of_rows_and_columns_is_no_change(day2: Path) -> None:
    for name in ("schools.csv", "teachers.csv", "sections.csv", "enrollments.csv"):
        edit(day2, name, lambda rows: [dict(reversed(row.items())) for row in reversed(rows)])
    edit(day2, "students.csv", lambda rows: [dict(reversed(row.items())) for row in reversed(rows)])

    document = run(day2 / "home", day2 / "upload")

    assert document["status"] == "unchanged", document["findings"]


def test_an_upload_without_a_required_file_is_rejected(day2: Path) -> None:
    (day2 / "upload" / "sections.csv").unlink()
    before = counts(day2 / "home")
    document = run(day2 / "home", day2 / "upload")

    assert (document["status"], codes(document)) == ("rejected", {"missing_file"})
    assert counts(day2 / "home") == before


@pytest.mark.parametrize(
    ("text", "code"),
    [("", "empty_file"), ("Student_id\n1\n", "missing_column"), ("a,b\n1,2\n", "unrecognised_headers"), ('"', "malformed_csv")],
)
def test_a_required_file_that_cannot_be_used_rejects_the_upload(day2: Path, text: str, code: str) -> None:
    (day2 / "upload" / "students.csv").write_text(text, encoding="utf-8")
    before = counts(day2 / "home")
    document = run(day2 / "home", day2 / "upload")

    assert document["status"] == "rejected"
    assert code in codes(document)
    assert counts(day2 / "home") == before


def test_another_file_is_named_and_not_read(day2: Path) -> None:
    (day2 / "upload" / "notes.csv").write_text("a\n1\n", encoding="utf-8")
    edit(day2, "teachers.csv", lambda rows: [rows[0] | {"Title": "Another"}, *rows[1:]])
    document = run(day2 / "home", day2 / "upload")

    assert document["status"] == "published"
    assert "unexpected_file" in codes(document)


def test_another_file_beside_the_same_bytes_is_named_too(day2: Path) -> None:
    (day2 / "upload" / "notes.csv").write_text("a\n1\n", encoding="utf-8")
    document = run(day2 / "home", day2 / "upload")

    assert document["status"] == "unchanged"
    assert codes(document) == {"unexpected_file"}


def test_two_files_of_a_kind_reject_the_upload_even_if_one_is_known(day2: Path) -> None:
    (day2 / "upload" / "STUDENTS.csv").write_text("Student_id\n1\n", encoding="utf-8")
    document = run(day2 / "home", day2 / "upload")

    assert document["status"] == "rejected"
    assert "ambiguous_file" in codes(document)


def test_an_optional_file_that_is_left_out_removes_nobody(day2: Path) -> None:
    (day2 / "upload" / "staff.csv").unlink()
    before = counts(day2 / "home")
    document = run(day2 / "home", day2 / "upload")

    assert same(document)
    assert counts(day2 / "home") == before


def test_an_optional_file_that_is_refused_removes_nothing_at_all(day2: Path) -> None:
    (day2 / "upload" / "staff.csv").write_text("Staff_id\n1\n", encoding="utf-8")
    edit(day2, "enrollments.csv", lambda rows: rows[1:])
    before = counts(day2 / "home")
    run(day2 / "home", day2 / "upload")

    assert counts(day2 / "home") == before


def test_a_refused_row_leaves_its_record_as_it_was(day2: Path) -> None:
    edit(day2, "students.csv", lambda rows: [*rows[:-1], rows[-1] | {"Last_name": ""}])
    before = counts(day2 / "home")
    document = run(day2 / "home", day2 / "upload")

    assert "missing_required" in codes(document)
    assert same(document)
    assert counts(day2 / "home") == before


def test_a_record_that_cannot_be_read_leaves_what_it_may_be_about(day2: Path) -> None:
    path = day2 / "upload" / "students.csv"
    *lines, last = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*lines, last.rstrip() + ",one,more\n"]), encoding="utf-8")
    before = counts(day2 / "home")
    document = run(day2 / "home", day2 / "upload")

    assert "ragged_row" in codes(document)
    assert counts(day2 / "home") == before


def test_an_absent_record_is_closed(day2: Path) -> None:
    edit(day2, "enrollments.csv", lambda rows: rows[:-1])
    document = run(day2 / "home", day2 / "upload")

    assert document["status"] == "published"
    assert document["changes"]["enrollments"]["deleted"] == 1


def _half(folder: Path) -> None:
    edit(folder, "enrollments.csv", lambda rows: rows[::2])


def _not_asked(*_: Any) -> bool:
    """Whether an upload repeats the last one can take reading archived files: no question where it is held anyway."""
    raise AssertionError


def test_a_large_removal_is_held_and_carried_out_when_its_plan_is_approved(day2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _half(day2)
    before = counts(day2 / "home")
    monkeypatch.setattr(hold_policy, "_is_unchanged", _not_asked)
    held = run(day2 / "home", day2 / "upload")
    monkeypatch.undo()
    hash_ = held["hold"]["plan_sha256"]

    assert (held["status"], held["hold"]["reason"]) == ("held", "change_threshold_exceeded")
    assert counts(day2 / "home") == before

    done = run(day2 / "home", approves=(held["import_id"], hash_, "ann"))

    assert (done["status"], done["import_id"]) == ("published", held["import_id"])
    assert counts(day2 / "home")["enrollments"] < before["enrollments"]


def test_the_calendar_lifts_a_threshold_and_says_so(day2: Path) -> None:
    today = datetime.now(UTC).date()
    lifted = {"delete_threshold_pct": "100"}
    rollover = Window(first=today - timedelta(1), last=today + timedelta(1), reason="Rollover", options=lifted)
    with_workspace(day2 / "home", lambda w: w.registry.add_window("lincoln", rollover))
    again = run(day2 / "home", day2 / "upload")
    _half(day2)
    document = run(day2 / "home", day2 / "upload")

    assert again["status"] == "unchanged"  # what is expected makes the same bytes no other upload
    assert (document["status"], document["hold"]) == ("published", None)
    assert [f["message"] for f in document["findings"] if f["code"] == "expected_change"] == [
        f"Thresholds of the calendar are in force from {rollover.first} to {rollover.last}: Rollover."
    ]


def test_the_upload_of_another_district_is_held_for_that(day2: Path) -> None:
    write_sample(vendor("clever"), day2 / "upload", students=60, seed=3)
    for file in ("students", "teachers", "staff", "enrollments", "sections"):
        edit(day2, f"{file}.csv", _renamed_ids)
    edit(day2, "students.csv", lambda rows: [row | {"Last_name": f"{row['Last_name']}x", "Student_email": ""} for row in rows])
    document = run(day2 / "home", day2 / "upload", options={"delete_threshold_pct": "100"})

    assert (document["status"], document["hold"]["reason"]) == ("held", "another_district")
    assert document["findings"][0]["code"] == "another_district"


def test_the_same_people_under_other_ids_are_held_for_that(day2: Path) -> None:
    for file in ("students", "teachers", "staff", "enrollments", "sections"):
        edit(day2, f"{file}.csv", _renamed_ids)
    document = run(day2 / "home", day2 / "upload", options={"delete_threshold_pct": "100"})

    assert (document["status"], document["hold"]["reason"]) == ("held", "renumbered")


def _renamed_ids(rows: Rows) -> Rows:
    ids = ("Student_id", "Teacher_id", "Staff_id", "Section_id", "Contact_sis_id", "Student_number", "Teacher_number")
    numbered = [name for name in (rows[0] if rows else {}) if name in ids or name.startswith("Teacher_")]
    return [
        row | {name: f"new-{row[name]}" for name in numbered if row[name] and name.lower().endswith(("_id", "number"))}
        for row in rows
    ]


def test_a_table_that_grows_much_is_published_with_a_warning(day2: Path) -> None:
    few: set[str] = set()
    edit(day2, "students.csv", lambda rows: few.update(row["Student_id"] for row in rows[:30]) or rows[:30])
    edit(day2, "enrollments.csv", lambda rows: [row for row in rows if row["Student_id"] in few])
    run(day2 / "home", day2 / "upload", options={"delete_threshold_pct": "100"})
    write_sample(vendor("clever"), day2 / "upload", students=60, seed=3)
    document = run(day2 / "home", day2 / "upload")

    grown = {f["field"]: f["severity"] for f in document["findings"] if f["code"] == "many_additions"}
    assert document["status"] == "published"
    assert {"users", "enrollments"} <= set(grown)
    assert set(grown.values()) == {"warning"}


def test_a_hold_says_what_stopped_it_and_nothing_else(day2: Path) -> None:
    _half(day2)
    held = run(day2 / "home", day2 / "upload")
    done = run(day2 / "home", approves=(held["import_id"], held["hold"]["plan_sha256"], "ann"))

    (table,) = held["hold"]["tables"].items()
    assert table[0] == "enrollments"
    assert set(table[1]) == {"deleted", "current", "pct"}
    assert {part["table"] for part in held["hold"]["schools"]} <= {"enrollments"}
    assert [done["hold"][name] for name in ("tables", "schools")] == [held["hold"][name] for name in ("tables", "schools")]


def test_a_hold_for_too_many_updates_says_how_many(day2: Path) -> None:
    edit(day2, "students.csv", lambda rows: [row | {"Last_name": row["Last_name"] + "x"} for row in rows])
    hold = run(day2 / "home", day2 / "upload", options={"update_threshold_pct": "10"})["hold"]

    users = hold["tables"]["users"]
    assert hold["reason"] == "change_threshold_exceeded"
    assert (users["deleted"], users["pct"]) == (0, 0.0)
    assert 0 < users["updated"] <= users["current"]


def test_a_plan_that_was_not_shown_is_not_carried_out(day2: Path) -> None:
    _half(day2)
    held = run(day2 / "home", day2 / "upload")

    with pytest.raises(PlanChanged):
        run(day2 / "home", approves=(held["import_id"], "0" * 64, "ann"))


def test_thresholds_are_options(day2: Path) -> None:
    _half(day2)

    assert run(day2 / "home", day2 / "upload", options={"delete_threshold_pct": "100"})["status"] == "published"


def test_a_districts_own_codes_are_read_as_it_says(day2: Path) -> None:
    edit(day2, "students.csv", lambda rows: [row | {"Grade": "K"} for row in rows])
    feed = Feed(format="clever", replacements={"Grade": {"K": "Kindergarten"}})
    with_workspace(day2 / "home", lambda w: w.registry.add_feed("lincoln", feed, update=True))
    document = run(day2 / "home", day2 / "upload", options={"update_threshold_pct": "100"})

    assert document["status"] == "published"
    assert "bad_value" not in codes(document)


def test_passwords_are_in_no_file_of_the_home(published: Path) -> None:
    assert PASSWORD in (published / "upload" / "students.csv").read_text(encoding="utf-8")
    assert [
        path.name for path in (published / "home").rglob("*") if path.is_file() and PASSWORD.encode() in stored_bytes(path)
    ] == []


def test_rows_that_are_gone_are_told_even_where_refused_rows_repeat_a_record(day2: Path) -> None:
    """A gate compares records: three refused rows of one record make up for no other."""

    def change(rows: Rows) -> Rows:
        return [*rows[3:], *([rows[-1] | {"Section_id": "no-such"}] * 3)]

    edit(day2, "enrollments.csv", change)
    run(day2 / "home", day2 / "upload")
    lines = with_workspace(day2 / "home", lambda w: Staging(w.frames, "lincoln", 2).table_lines("enrollments"))

    assert {line["check"]: line["failing"] for line in lines.to_pylist()}["rows"] == 2


# ---- what an upload does not say


def without(day2: Path, name: str, *columns: str) -> None:
    edit(day2, name, lambda rows: [{c: v for c, v in row.items() if c not in columns} for row in rows])


def filled(home: Path, table: str, column: str) -> int:
    def count(workspace: Workspace) -> int:
        versions = workspace.warehouse.roster.current_hashes(*WHO, table).column("version_id")
        return len(workspace.warehouse.roster.versions(table, versions).column(column).drop_null())

    return int(with_workspace(home, count))


def test_a_column_that_is_missing_leaves_its_values_alone_and_is_told(day2: Path) -> None:
    before = {pair: filled(day2 / "home", *pair) for pair in (("student_profiles", "birth_date"), ("users", "email"))}
    without(day2, "students.csv", "DOB")
    without(day2, "teachers.csv", "Teacher_email")

    document = run(day2 / "home", day2 / "upload")

    assert document["status"] == "unchanged"
    assert {(f["file"], f["field"]) for f in document["findings"] if f["code"] == "missing_column"} == {
        ("students.csv", "DOB"),
        ("teachers.csv", "Teacher_email"),
    }
    assert {pair: filled(day2 / "home", *pair) for pair in before} == before
    assert same(document)


def test_a_blank_cell_clears(day2: Path) -> None:
    edit(day2, "students.csv", lambda rows: [row | {"DOB": ""} for row in rows])

    run(day2 / "home", day2 / "upload", options={"update_threshold_pct": "100"})

    assert filled(day2 / "home", "student_profiles", "birth_date") == 0


def test_records_that_a_missing_column_made_are_left_alone(day2: Path) -> None:
    before = counts(day2 / "home")
    without(day2, "students.csv", "Contact_name", "Contact_type")

    run(day2 / "home", day2 / "upload")

    assert counts(day2 / "home") == before


def test_records_that_a_missing_family_of_columns_made_are_left_alone_and_hold_nothing(day2: Path) -> None:
    before = counts(day2 / "home")
    without(day2, "sections.csv", *(f"Teacher_{n}_id" for n in range(2, 11)))

    document = run(day2 / "home", day2 / "upload")

    assert document["status"] == "unchanged"
    assert "missing_column" in codes(document)
    assert counts(day2 / "home") == before


def test_a_missing_extension_column_leaves_its_values_alone(day2: Path) -> None:
    names = [n for n in (day2 / "upload" / "students.csv").read_text(encoding="utf-8").splitlines()[0].split(",") if "ext." in n]
    without(day2, "students.csv", *names)

    document = run(day2 / "home", day2 / "upload")

    assert names
    assert same(document)


def test_a_missing_column_that_ids_are_made_of_holds(day2: Path) -> None:
    without(day2, "sections.csv", "Course_number")

    document = run(day2 / "home", day2 / "upload", options={"delete_threshold_pct": "100"})

    assert (document["status"], document["hold"]["reason"]) == ("held", "missing_column")


# ---- what a refused row may have meant


BROKEN = [
    ("students.csv", 0, "School_id", "nowhere"),
    ("students.csv", 1, "Contact_type", ""),
    ("teachers.csv", 0, "School_id", ""),
    ("teachers.csv", 1, "Last_name", ""),
    ("sections.csv", 0, "Teacher_id", "nobody"),
    ("staff.csv", 0, "School_id", "nowhere"),
    ("staff.csv", 1, "Staff_email", ""),
    ("enrollments.csv", 0, "Student_id", ""),
]
"""File, place of the row, column, and what is wrong in it."""


def test_rows_that_are_broken_take_nothing_away(day2: Path) -> None:
    before = counts(day2 / "home")
    for name, place, column, value in BROKEN:
        edit(day2, name, lambda rows: [row | {column: value} if at == place else row for at, row in enumerate(rows)])  # noqa: B023 - called at once
    options = dict.fromkeys(("delete_threshold_pct", "update_threshold_pct", "refused_rise_pct", "refused_rows_pct"), "100")

    document = run(day2 / "home", day2 / "upload", options=options)

    assert document["status"] == "published", document["findings"]
    assert {(name, column) for name, _, column, _ in BROKEN} <= {(f["file"], f["field"]) for f in document["findings"]}
    assert counts(day2 / "home") == before


def test_a_refused_section_keeps_its_enrollments_even_if_it_names_another_course(day2: Path) -> None:
    before = counts(day2 / "home")
    edit(day2, "sections.csv", lambda rows: [rows[0] | {"Teacher_id": "nobody", "Course_number": "other"}, *rows[1:]])

    run(day2 / "home", day2 / "upload")

    assert counts(day2 / "home")["enrollments"] == before["enrollments"]


def test_a_ragged_section_keeps_its_enrollments(day2: Path) -> None:
    before = counts(day2 / "home")
    path = day2 / "upload" / "sections.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([lines[0], lines[1] + ",x", *lines[2:]]) + "\n", encoding="utf-8")

    run(day2 / "home", day2 / "upload")

    assert counts(day2 / "home") == before


def test_a_row_cut_short_is_refused_and_not_taken_for_a_blank_line(day2: Path) -> None:
    path = day2 / "upload" / "students.csv"
    records = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*records[:-1], ",".join(records[-1].split(",")[:3])]) + "\n", encoding="utf-8")

    document = run(day2 / "home", day2 / "upload")

    assert ("students.csv", "ragged_row") in {(finding["file"], finding["code"]) for finding in document["findings"]}


@pytest.mark.parametrize("first", ["Students of 2026\n", ""])
def test_under_a_title_or_without_a_header_no_password_is_kept(day2: Path, first: str) -> None:
    """Nobody knows which cells are passwords then."""
    path = day2 / "upload" / "students.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(first + text if first else text.partition("\n")[2], encoding="utf-8")

    document = run(day2 / "home", day2 / "upload")

    assert ("students.csv", "unrecognised_headers") in {(finding["file"], finding["code"]) for finding in document["findings"]}
    assert [path.name for path in (day2 / "home").rglob("*") if path.is_file() and PASSWORD.encode() in stored_bytes(path)] == []


def test_a_password_under_another_name_is_neither_kept_nor_published(day2: Path) -> None:
    edit(
        day2,
        "students.csv",
        lambda rows: [row | {"ext.Pasword": "s3cret-of-a-child", "PIN": "s3cret-of-a-child"} for row in rows],
    )

    document = run(day2 / "home", day2 / "upload")

    assert {f["field"] for f in document["findings"] if f["code"] == "unexpected_column"} == {"ext.Pasword", "PIN"}
    assert [path for path in (day2 / "home").rglob("*") if path.is_file() and b"s3cret-of-a-child" in stored_bytes(path)] == []


def test_a_refused_file_is_not_buried_under_the_rows_that_refer_to_it(day2: Path) -> None:
    edit(day2, "students.csv", lambda rows: [{f"{name}!": cell for name, cell in row.items()} for row in rows])

    found = run(day2 / "home", day2 / "upload")["findings"]

    (cause,) = [finding for finding in found if finding["severity"] == "file"]
    follows = [finding for finding in found if finding["code"] == "unknown_reference"]
    assert [(finding["file"], finding["row"], finding["cause_id"]) for finding in follows] == [
        ("enrollments.csv", None, cause["id"])
    ]


def test_a_row_cut_short_before_its_id_takes_nobody_away(day2: Path) -> None:
    before = counts(day2 / "home")
    path = day2 / "upload" / "staff.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([lines[0], ",".join(lines[1].split(",")[:2]), *lines[2:]]) + "\n", encoding="utf-8")

    document = run(day2 / "home", day2 / "upload")

    assert ("ragged_row", "staff.csv", 2) in {(f["code"], f["file"], f["row"]) for f in document["findings"]}
    assert counts(day2 / "home") == before
