"""The ledger tells what arrived, what was found, and how it was decided."""

from collections import Counter
from random import Random

import pyarrow as pa
import pytest
import sqlalchemy as sa

from roster_etl.canonical.ledger import IMPORT_COUNTS
from roster_etl.store.warehouse import (
    REJECTED_ROWS_SCHEMA,
    RELEASED_ROWS_SCHEMA,
    Check,
    Edit,
    Hold,
    ImportFile,
    ImportNotRunning,
    ImportResult,
    NoHold,
    UnknownImport,
    Warehouse,
)
from roster_etl.store.warehouse.ledger_write import number_findings
from tests.ledgers import in_transaction
from tests.pipeline.work import count_imports
from tests.rosters import DISTRICT, SOURCE, begin, change, day, end, published, user

FINDINGS = pa.schema(
    [
        ("severity", pa.string()), ("code", pa.string()), ("file", pa.string()), ("row", pa.int64()), ("field", pa.string()),
        ("key", pa.string()), ("message", pa.string()), ("cause_file", pa.string()), ("cause_row", pa.int64()), ("count", pa.int64()),
    ]
)  # fmt: skip


@pytest.fixture
def warehouse(warehouse_url):
    with Warehouse(warehouse_url) as opened:
        yield opened


def finding(code="bad_value", row=2, severity="warning", cause=(None, None), **columns):
    file, cause_row = cause
    return {
        "severity": severity, "code": code, "file": "students.csv", "row": row, "message": "expected x, found y", "count": 1,
        "cause_file": file, "cause_row": cause_row, **columns,
    }  # fmt: skip


def findings(*rows):
    return pa.Table.from_pylist(list(rows), schema=FINDINGS)


def test_an_import_begins_as_running(warehouse):
    number = begin(warehouse, 3, run_id="r", received_at=day(2), options={"encoding": "utf-8"})

    assert warehouse.ledger.import_(number) == {
        "import_id": number, "kind": "upload", "district_id": DISTRICT, "source": SOURCE, "upload_id": "u3", "run_id": "r",
        "status": "running", "received_at": day(2), "started_at": day(3), "finished_at": None,
        "options": {"encoding": "utf-8"}, "summary": {}, "file_set": "", "quarantined": False,
    }  # fmt: skip


def test_imports_are_numbered_across_districts_and_listed_newest_first(warehouse):
    numbers = [begin(warehouse, 1), begin(warehouse, 2, "madison"), begin(warehouse, 3)]

    assert numbers == sorted(numbers)
    assert [row["import_id"] for row in warehouse.ledger.imports()] == numbers[::-1]
    assert [row["import_id"] for row in warehouse.ledger.imports(DISTRICT, limit=1)] == [numbers[2]]
    assert warehouse.ledger.imports(status="published") == []
    assert warehouse.ledger.sources("madison") == warehouse.ledger.sources() == [SOURCE]


def test_a_rebuild_keeps_the_numbers_of_imports(warehouse):
    assert begin(warehouse, 1, import_id=40) == 40
    assert begin(warehouse, 2) == 41


def test_the_upload_is_named_once_it_is_known(warehouse):
    number = in_transaction(warehouse).open_import(kind="upload", district_id=DISTRICT, source=SOURCE, started_at=day(1))
    in_transaction(warehouse).set_upload(number, "u9", received_at=day(1), options={"a": "b"})

    row = warehouse.ledger.import_(number)
    assert (row["upload_id"], row["received_at"], row["options"]) == ("u9", day(1), {"a": "b"})


def test_files_and_checks_are_kept(warehouse):
    number = begin(warehouse)
    file = ImportFile(file="students.csv", kind="students", sha256="ab", bytes=9, rows_read=3, rows_accepted=2, rows_rejected=1)
    checks = [Check(name="clever/students: suite", passed=False, severity="error", details={"failed": ["x"]})]
    in_transaction(warehouse).conclude(end(number, "rejected", checks=checks, files=[file, ImportFile(file="notes.txt")]))

    assert [row["file"] for row in warehouse.ledger.files(number)] == ["notes.txt", "students.csv"]
    assert warehouse.ledger.files(number)[1]["rows_accepted"] == 2
    (check,) = warehouse.ledger.checks(number)
    assert (check["passed"], check["details"]) == (False, {"failed": ["x"]})


def test_findings_are_numbered_and_point_to_their_cause(warehouse):
    number = begin(warehouse)
    given = findings(
        finding(row=7),
        finding("missing_required", 7, "reject"),
        finding("duplicate_key", 7, "reject"),
        finding("unknown_reference", 12, "reject", ("students.csv", 7)),
        finding("unknown_reference", 13, "reject", ("students.csv", 99)),
        finding("missing_file", None, "upload", file=None),
    )
    in_transaction(warehouse).conclude(end(number, "rejected", findings=given))

    found = warehouse.ledger.findings(number)
    assert [row["id"] for row in found] == [1, 2, 3, 4, 5, 6]
    assert [row["cause_id"] for row in found] == [None, None, None, 2, None, None]
    assert (found[5]["file"], found[5]["row"]) == (None, None)


def test_a_cause_without_a_row_is_what_was_said_about_the_whole_file_or_else_about_its_first_row(warehouse):
    number = begin(warehouse)
    given = findings(
        finding("bad_value", 3, "reject", file="schools.csv"),
        finding("malformed_csv", 5, "file", file="students.csv"),
        finding("unknown_reference", None, "reject", ("students.csv", None), file="sections.csv"),
        finding("unknown_reference", None, "reject", ("sections.csv", None), file="enrollments.csv"),
        finding("unknown_reference", None, "reject", ("schools.csv", None), file="staff.csv"),
        finding("unknown_reference", None, "reject", ("admins.csv", None), file="staff.csv"),
    )
    in_transaction(warehouse).conclude(end(number, "rejected", findings=given))

    assert [row["cause_id"] for row in warehouse.ledger.findings(number)] == [None, None, 2, 3, 1, None]


def test_no_findings_are_no_findings():
    assert number_findings(findings()).num_rows == 0


def test_many_findings_of_one_kind_and_cause_are_folded(warehouse):
    number = begin(warehouse)
    many = [finding(row=row, key="k", count=2) for row in range(2, 8)]
    in_transaction(warehouse).conclude(
        end(number, "unchanged", findings=findings(finding("trimmed", 2), *many, finding(row=3, field="Grade")))
    )

    shown = warehouse.ledger.findings(number, group_above=5)
    assert [(row["id"], row["code"], row["row"], row["key"], row["count"]) for row in shown] == [
        (1, "trimmed", 2, None, 1),
        (2, "bad_value", None, None, 12),
        (8, "bad_value", 3, None, 1),
    ]
    assert len(warehouse.ledger.findings(number, group_above=6)) == len(warehouse.ledger.findings(number, group_above=None)) == 8


def test_refused_rows_rest_in_quarantine(warehouse):
    number = begin(warehouse)
    record = '{"Student_id":"","Last_name":"O\'Brien, \\"Q\\"\\nx"}'
    rows = [{"file": "students.csv", "row": row, "code": "missing_required", "record": record} for row in (9, 3)]
    in_transaction(warehouse).conclude(
        end(number, "rejected", rejected_rows=pa.Table.from_pylist(rows, schema=REJECTED_ROWS_SCHEMA))
    )

    kept = warehouse.ledger.quarantined_rows(import_id=number).to_pylist()
    assert [(row["row"], row["record"]) for row in kept] == [(3, record), (9, record)]
    assert warehouse.ledger.quarantined_rows(district_id=DISTRICT, source=SOURCE).num_rows == 2
    assert warehouse.ledger.quarantined_rows(district_id="madison").num_rows == 0


def test_refused_rows_are_counted_by_since_when_the_same_cells_are_refused(warehouse):
    for cells in (("a", "b"), ("b", "c")):
        number = begin(warehouse)
        rows = [{"file": "students.csv", "row": n, "code": "bad_date", "record": cell} for n, cell in enumerate(cells, 2)]
        in_transaction(warehouse).conclude(
            end(number, "held", rejected_rows=pa.Table.from_pylist(rows, schema=REJECTED_ROWS_SCHEMA), hold=hold())
        )

    began = {row["import_id"]: row["started_at"] for row in warehouse.ledger.imports()}
    counted = {"file": "students.csv", "code": "bad_date", "rows": 1}
    lines = warehouse.ledger.quarantined_since([number])
    assert sum(line["rows"] for line in lines) == 2
    assert {line["since"] for line in lines} == {began[number - 1], began[number]}
    assert warehouse.ledger.quarantined_since([number - 1])[0] == {**counted, "since": began[number - 1], "rows": 2}
    assert warehouse.ledger.quarantined_since([]) == []


def oldest_equal(imports, kept, numbers):
    """Since when rows are refused, by definition: each is compared with every other row of its feed and file."""
    began = {row["import_id"]: (row["started_at"], row["district_id"]) for row in imports}
    first = {}
    for line in kept:
        first.setdefault((line["import_id"], line["file"], line["row"]), []).append(line)
    counts = Counter()
    for (number, file, _), lines in first.items():
        if number in numbers:
            record, feed = min(line["record"] for line in lines), began[number][1]
            equal = (k for k in kept if (k["file"], k["record"], began[k["import_id"]][1]) == (file, record, feed))
            counts[file, min(line["code"] for line in lines), min(began[k["import_id"]][0] for k in equal)] += 1
    return counts


@pytest.mark.parametrize("seed", range(3))
def test_since_when_rows_are_refused_is_what_a_comparison_of_all_rows_says(warehouse, seed):
    """Random histories of two districts: clocks that were set back, rows with two codes, rows that left the quarantine."""
    dice, numbers = Random(seed), []
    for _ in range(12):
        number = begin(warehouse, dice.randint(1, 28), dice.choice((DISTRICT, "madison")))
        cells = {(dice.choice("ab"), row): dice.choice("xyz") for row in range(2, dice.randint(3, 8))}
        rows = [
            {"file": f"{file}.csv", "row": row, "code": code, "record": cell}
            for (file, row), cell in cells.items()
            for code in dice.sample(("bad_date", "duplicate_key"), dice.randint(1, 2))
        ]
        leaving = pa.Table.from_pylist(
            dice.sample(warehouse.ledger.quarantined_rows().to_pylist(), 1) if numbers else [], RELEASED_ROWS_SCHEMA
        )
        parts = {"rejected_rows": pa.Table.from_pylist(rows, schema=REJECTED_ROWS_SCHEMA)}
        if dice.random() < 0.5:
            in_transaction(warehouse).conclude(end(number, "rejected", **parts))
        else:
            base = warehouse.roster.base(warehouse.ledger.import_(number)["district_id"], SOURCE)
            in_transaction(warehouse).publish(end(number, released_rows=leaving, **parts), {}, base)
        numbers.append(number)

    imports, kept = warehouse.ledger.imports(), warehouse.ledger.quarantined_rows().to_pylist()
    for district in (DISTRICT, "madison"):
        of_feed = [row["import_id"] for row in imports if row["district_id"] == district]
        for asked in (of_feed[:1], of_feed):
            found = {
                (line["file"], line["code"], line["since"]): line["rows"] for line in warehouse.ledger.quarantined_since(asked)
            }
            assert found == oldest_equal(imports, kept, asked)


def test_a_row_that_leaves_the_quarantine_takes_no_other_along(warehouse):
    number = begin(warehouse)
    rows = [{"file": file, "row": row, "code": "bad_date", "record": "{}"} for file in ("a.csv", "b.csv") for row in (2, 3)]
    in_transaction(warehouse).publish(
        end(number, rejected_rows=pa.Table.from_pylist(rows, schema=REJECTED_ROWS_SCHEMA)), {}, None
    )
    gone = pa.Table.from_pylist([{"import_id": number, "file": "a.csv", "row": 3}], RELEASED_ROWS_SCHEMA)
    published(warehouse, {}, number=2, released_rows=gone)

    assert [(row["file"], row["row"]) for row in warehouse.ledger.quarantined_rows().to_pylist()] == [
        ("a.csv", 2),
        ("b.csv", 2),
        ("b.csv", 3),
    ]
    assert warehouse.ledger.import_(number)["quarantined"]


def test_a_second_attempt_replaces_what_the_first_one_wrote(warehouse):
    number = begin(warehouse)
    in_transaction(warehouse).conclude(end(number, "failed", findings=findings(finding(), finding())))
    in_transaction(warehouse).resume(number, "run-2")
    assert warehouse.ledger.import_(number)["run_id"] == "run-2"
    in_transaction(warehouse).conclude(end(number, "unchanged", findings=findings(finding())))

    assert len(warehouse.ledger.findings(number)) == 1
    assert warehouse.ledger.import_(number)["status"] == "unchanged"


def test_an_import_that_goes_on_has_no_error(warehouse):
    number = begin(warehouse)
    in_transaction(warehouse).conclude(end(number, "failed", summary={"error": {"code": "abandoned"}, "parked": True}))
    in_transaction(warehouse).resume(number)

    assert warehouse.ledger.import_(number)["summary"] == {"parked": True}


def test_an_attempt_without_findings_leaves_none(warehouse):
    number = begin(warehouse)
    in_transaction(warehouse).conclude(end(number, "failed", findings=findings(finding())))
    in_transaction(warehouse).resume(number)
    in_transaction(warehouse).conclude(
        end(number, "unchanged", findings=findings(), rejected_rows=REJECTED_ROWS_SCHEMA.empty_table(), files=[], checks=[])
    )

    assert warehouse.ledger.findings(number) == warehouse.ledger.files(number) == warehouse.ledger.checks(number) == []


def test_an_import_ends_once(warehouse):
    number = begin(warehouse)
    in_transaction(warehouse).conclude(end(number, "unchanged"))

    for step in (
        lambda: in_transaction(warehouse).conclude(end(number, "failed")),
        lambda: in_transaction(warehouse).set_upload(number, "u"),
        lambda: in_transaction(warehouse).resume(number),
        lambda: in_transaction(warehouse).decide_hold(number, "discarded", "Ada", day(2)),
    ):
        with pytest.raises(ImportNotRunning):
            step()
    with pytest.raises(UnknownImport):
        warehouse.ledger.import_(number + 1)


def test_the_last_published_import_of_a_feed_and_its_changes(warehouse):
    assert warehouse.roster.last_published(DISTRICT, SOURCE) is None
    counts = {"users": {"created": 1, "updated": 0, "deleted": 0}}
    number = published(warehouse, {"users": change("users", [user("a")])}, summary={"changes": counts, "content": "abc"})
    in_transaction(warehouse).conclude(end(begin(warehouse, 2), "unchanged"))

    last = warehouse.roster.last_published(DISTRICT, SOURCE, "upload")
    assert (last["import_id"], last["summary"]["content"]) == (number, "abc")
    assert warehouse.ledger.import_(number)["summary"]["changes"] == counts
    assert warehouse.roster.last_published(DISTRICT, SOURCE, "undo") is None


def hold(reason="thresholds"):
    return Hold(reason=reason, plan_sha256="ab", created_at=day(1))


def test_a_hold_is_listed_until_it_is_decided(warehouse):
    number = begin(warehouse)
    in_transaction(warehouse).conclude(end(number, "held", hold=hold(), summary={"changes": {}}))

    (listed,) = warehouse.ledger.holds(DISTRICT, SOURCE)
    assert (listed["import_id"], listed["reason"], listed["decision"], listed["source"]) == (number, "thresholds", None, SOURCE)
    in_transaction(warehouse).decide_hold(number, "discarded", "Ada", day(2))
    assert warehouse.ledger.holds() == []
    assert warehouse.ledger.import_(number)["status"] == "discarded"
    assert warehouse.ledger.holds(undecided=False)[0]["decided_by"] == "Ada"


def test_a_hold_is_decided_once(warehouse):
    number = begin(warehouse)
    in_transaction(warehouse).conclude(end(number, "held", hold=hold()))
    in_transaction(warehouse).decide_hold(number, "approved", "Ada", day(2))

    with pytest.raises(NoHold):
        in_transaction(warehouse).decide_hold(number, "discarded", "Bob", day(3))
    in_transaction(warehouse).publish(end(number, number=3), {"users": change("users", [user("a")])}, None)
    assert warehouse.ledger.hold(number)["decided_by"] == "Ada"
    assert warehouse.ledger.hold(number + 1) is None


def test_a_newer_import_supersedes_older_holds_of_its_feed(warehouse):
    older, other, newer = begin(warehouse), begin(warehouse, 1, "madison"), begin(warehouse, 2)
    for number in (older, other):
        in_transaction(warehouse).conclude(end(number, "held", hold=hold()))

    assert in_transaction(warehouse).supersede_holds(DISTRICT, SOURCE, newer, day(2)) == [older]
    assert warehouse.ledger.hold(older)["decision"] == "superseded"
    assert [row["import_id"] for row in warehouse.ledger.holds()] == [other]


def test_a_conclusion_that_contradicts_itself_is_refused(warehouse):
    with pytest.raises(ValueError, match="does not end"):
        end(1, "running")
    with pytest.raises(ValueError, match="why it is held"):
        end(1, "held")
    with pytest.raises(ValueError, match="time zone"):
        ImportResult(import_id=1, status="failed", finished_at=day(1).replace(tzinfo=None))
    with pytest.raises(ValueError, match="use publish"):
        in_transaction(warehouse).conclude(end(1))
    with pytest.raises(ValueError, match="use conclude"):
        in_transaction(warehouse).publish(end(1, "failed"), {}, None)


def refused(*rows):
    lines = [{"file": "e.csv", "row": row, "code": code, "record": "{}"} for row, code in rows]
    return {
        "rejected_rows": pa.Table.from_pylist(lines, schema=REJECTED_ROWS_SCHEMA),
        "files": [ImportFile(file="e.csv", kind="enrollments")],
    }


def waiting(warehouse):
    return [(q["import_id"], q["kind"], q["row"]) for q in warehouse.roster.open_quarantine(DISTRICT, SOURCE).to_pylist()]


def test_what_published_imports_refused_may_be_tried_again_each_row_once(warehouse):
    first = published(warehouse, {}, **refused((3, "bad_value"), (3, "missing_required"), (2, "bad_value")))
    held = begin(warehouse, 2)
    in_transaction(warehouse).conclude(end(held, "rejected", number=2, **refused((9, "bad_value"))))
    published(warehouse, {}, number=3, district="madison", **refused((7, "bad_value")))

    assert waiting(warehouse) == [(first, "enrollments", 2), (first, "enrollments", 3)]


def test_a_row_leaves_the_quarantine_with_the_import_that_took_it(warehouse):
    first = published(warehouse, {}, **refused((2, "bad_value"), (3, "bad_value")))
    leaving = pa.Table.from_pylist([{"import_id": first, "file": "e.csv", "row": 2}], schema=RELEASED_ROWS_SCHEMA)
    published(warehouse, {}, number=2, released_rows=leaving)

    assert waiting(warehouse) == [(first, "enrollments", 3)]
    assert warehouse.ledger.import_(first)["quarantined"]

    last = pa.Table.from_pylist([{"import_id": first, "file": "e.csv", "row": 3}], schema=RELEASED_ROWS_SCHEMA)
    published(warehouse, {}, number=3, released_rows=last)

    assert waiting(warehouse) == []
    assert not any(row["quarantined"] for row in warehouse.ledger.imports())


def test_an_import_that_is_not_published_takes_nothing_out_of_the_quarantine():
    leaving = pa.Table.from_pylist([{"import_id": 1, "file": "e.csv", "row": 2}], schema=RELEASED_ROWS_SCHEMA)

    with pytest.raises(ValueError, match="published"):
        end(2, "unchanged", released_rows=leaving)


def test_the_formats_of_a_district_are_found_one_by_one(warehouse):
    writing = in_transaction(warehouse)
    for number, source in enumerate(["clever", "canvas", "clever", "dyknow", "oneroster"], start=1):
        opened = writing.open_import(kind="upload", district_id=DISTRICT, source=source, started_at=day(number))
        if source == "oneroster":
            writing.conclude(end(opened, "rejected", number=number))
        else:
            writing.publish(end(opened, number=number), {}, warehouse.roster.base(DISTRICT, source))

    assert warehouse.ledger.sources(DISTRICT) == ["canvas", "clever", "dyknow", "oneroster"]
    assert warehouse.ledger.published_sources(DISTRICT) == ["canvas", "clever", "dyknow"]
    assert warehouse.ledger.sources("madison") == warehouse.ledger.published_sources("madison") == []


def test_an_import_begins_and_ends_edits(warehouse):
    edit = Edit(begins=True, table="users", key='{"user_id": "a"}', field="full_name", value="Ann")
    published(warehouse, {}, edits=[edit])
    published(warehouse, {}, number=2, edits=[Edit(begins=True, table="users", key=edit.key, field="full_name", value="Anna")])
    (kept,) = warehouse.roster.overrides(DISTRICT, SOURCE)
    published(warehouse, {}, number=3, edits=[Edit(begins=False, table="users", key=edit.key, field="full_name")])

    assert (kept["value"], kept["field"], kept["table_name"]) == ("Anna", "full_name", "users")
    assert warehouse.roster.overrides(DISTRICT, SOURCE) == []


def test_published_imports_are_told_oldest_first(warehouse):
    numbers = [published(warehouse, {}, number=n) for n in (1, 2)]
    in_transaction(warehouse).conclude(end(begin(warehouse, 3), "unchanged", number=3))

    assert [row["import_id"] for row in warehouse.roster.published_imports(DISTRICT, SOURCE)[::-1]] == numbers


def test_an_edit_tells_who_made_it_and_is_found_after_its_end(warehouse):
    key = '{"user_id": "a"}'
    published(warehouse, {}, edits=[Edit(begins=True, table="users", key=key, field="title", value="Captain", by="sam")])
    published(warehouse, {}, number=2, edits=[Edit(begins=False, table="users", key=key, field="title", by="kim")])

    (ended,) = warehouse.roster.overrides(DISTRICT, SOURCE, ended=True)
    assert (ended["set_by"], ended["value"]) == ("sam", "Captain")
    assert ended["cleared_at"] > ended["set_at"]
    assert warehouse.roster.overrides(DISTRICT, SOURCE) == []


def test_imports_are_counted_as_their_status_changes(warehouse):
    tx = in_transaction(warehouse)
    for number in (1, 2):
        published(warehouse, {}, number)
    held, failed = begin(warehouse, 3), begin(warehouse, 4)
    tx.conclude(end(held, "held", 3, hold=Hold(reason="x", plan_sha256="0", created_at=day(3))))
    tx.conclude(end(failed, "failed", 4))
    tx.resume(failed)
    tx.decide_hold(held, "discarded", "A. Steward", day(5))
    tx.open_import(kind="undo", district_id=DISTRICT, source=SOURCE, started_at=day(6))

    counts = {(row["kind"], row["status"]): (row["imports"], row["import_id"]) for row in warehouse.ledger.import_counts()}
    assert counts == {
        ("upload", "published"): (2, 2),
        ("upload", "discarded"): (1, held),
        ("upload", "running"): (1, failed),
        ("undo", "running"): (1, failed + 1),
    }
    with warehouse.write() as session:
        kept = session._connection.execute(sa.select(IMPORT_COUNTS).where(IMPORT_COUNTS.c.imports > 0)).all()
        count_imports(session._connection)
        assert set(session._connection.execute(sa.select(IMPORT_COUNTS)).all()) == set(kept)
