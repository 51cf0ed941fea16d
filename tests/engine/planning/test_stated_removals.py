"""Rows that say that their record is gone, from the judge to the plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.planning.plan import Plan, make_plan
from roster_etl.engine.planning.removal_evidence import Exclusions, RemovalEvidence
from roster_etl.engine.planning.thresholds import Thresholds, exceeded_thresholds
from roster_etl.engine.transform.mapper import MappedTable, SourceFile, map_table
from roster_etl.engine.validation.validate import ReferencedFile, ValidatedFile, empty_result
from roster_etl.frames.arrow import DELETED, REFUSED, combine_chunks
from roster_etl.mapping.column_plan import Const, From, Lookup
from roster_etl.mapping.column_plan import Mapping as ColumnPlan
from roster_etl.spec import Column, File, Reference, RowCondition, Status, Unique
from tests.walking import found, judge, lines

STATUS = Column(name="Status", required=True, cell_format=Status(options=("active", "deleted")))
GONE = RowCondition(column="Status", values=("deleted",))
COURSES = File(
    name="courses",
    file_name="courses.csv",
    title="Courses",
    source="1",
    key=("Id",),
    columns=(Column(name="Id", required=True), Column(name="Name", required=True), STATUS),
    deleted=GONE,
)
SECTIONS = File(
    name="sections",
    file_name="sections.csv",
    title="Sections",
    source="2",
    key=("Id",),
    columns=(
        Column(name="Id", required=True),
        Column(name="Course", required=True, references=Reference(file="courses", column="Id")),
        Column(name="Second", references=Reference(file="courses", column="Id")),
        Column(name="Number", unique=Unique()),
        STATUS,
    ),
    deleted=GONE,
)
SEATS = File(
    name="seats",
    file_name="seats.csv",
    title="Seats",
    source="3",
    key=("Section", "Person"),
    columns=(
        Column(name="Section", required=True, references=Reference(file="sections", column="Id")),
        Column(name="Person", required=True),
        STATUS,
    ),
    deleted=GONE,
)
FILES = (COURSES, SECTIONS, SEATS)
MAPPINGS = {
    "courses": ColumnPlan(source="courses", to="courses", columns={"course_id": From("Id"), "name": From("Name")}),
    "sections": ColumnPlan(
        source="sections",
        to="sections",
        columns={"section_id": From("Id"), "course_id": From("Course"), "number": From("Number")},
    ),
    "enrollments": ColumnPlan(
        source="seats",
        to="enrollments",
        steps=(Lookup(file="sections", on="Section", key="Id", take={"course": "Course"}),),
        columns={
            "course_id": From("course"),
            "section_id": From("Section"),
            "user_kind": Const("user"),
            "user_id": From("Person"),
            "role": Const("student"),
        },
    ),
}
Upload = Mapping[str, tuple[str, ...]]
HEADERS = {"courses": "Id,Name,Status", "sections": "Id,Course,Second,Number,Status", "seats": "Section,Person,Status"}


def _judged(upload: Upload) -> dict[str, ValidatedFile]:
    results: dict[str, ValidatedFile] = {}
    for file in FILES:
        others = {name: ReferencedFile(rows=result.rows, file_name=f"{name}.csv") for name, result in results.items()}
        results[file.name] = judge(file, lines(HEADERS[file.name], *upload[file.name]), others)
    return results


def _mapped(upload: Upload) -> dict[str, MappedTable]:
    files = {name: SourceFile(rows=result.rows, file_name=f"{name}.csv") for name, result in _judged(upload).items()}
    return {name: map_table(TABLES[name], [mapping], files, {}) for name, mapping in MAPPINGS.items()}


class Published:
    """What an upload to an empty roster left; version ids are 0, 1, … in the order of its rows."""

    def __init__(self, table: pa.Table) -> None:
        rows = table.filter(pc.invert(table.column(REFUSED))).drop_columns([REFUSED, DELETED])
        self.table = rows.append_column("version_id", pa.array(range(rows.num_rows), pa.int64()))

    def hashes(self) -> pa.Table:
        return self.table.select(["version_id", "row_hash"])

    def rows(self, version_ids: pa.Array) -> pa.Table:
        return self.table.filter(pc.is_in(combine_chunks(self.table.column("version_id")), value_set=version_ids))

    def count_by_school(self) -> Mapping[str, int]:
        return {}


def _plan(before: Upload, after: Upload, **doubt: Any) -> Plan:
    current = {name: Published(mapped.table) for name, mapped in _mapped(before).items()}
    wanted = {name: mapped.table for name, mapped in _mapped(after).items()}
    known = RemovalEvidence(file_of=lambda name: name.removesuffix(".csv"), **doubt)
    return make_plan(wanted, current, base=1, evidence=known)


def _closes(plan: Plan) -> dict[str, list[tuple[int, str]]]:
    closed = {name: [(c["version_id"], c["close_reason"]) for c in t.closes.to_pylist()] for name, t in plan.tables.items()}
    return {name: sorted(closes) for name, closes in closed.items() if closes}


ROSTER: Upload = {
    "courses": ("c1,One,active", "c2,Two,active"),
    "sections": ("s1,c1,,1,active", "s2,c2,,2,active"),
    "seats": ("s1,p1,active", "s1,p2,active", "s2,p1,active"),
}


# ---- judging


def test_a_deleted_row_applies_and_is_marked() -> None:
    result = judge(COURSES, lines(HEADERS["courses"], "c1,One,active", "c2,Two,DELETED", "c3,,deleted", "c4,Four,gone"))

    assert result.rows[DELETED].to_pylist() == [False, True, False, False]
    assert result.rows[REFUSED].to_pylist() == [False, False, True, True]
    assert found(result) == [("reject", "missing_required", 4, "Name"), ("reject", "bad_status", 5, "Status")]
    assert (result.rows_accepted, result.rows_rejected) == (2, 2)


def test_a_file_whose_rows_cannot_say_so_has_no_such_mark() -> None:
    file = File(name="a", file_name="a.csv", title="A", source="1", key=("Id",), columns=(Column(name="Id", required=True),))

    assert DELETED not in judge(file, lines("Id", "1")).rows.column_names
    assert DELETED not in empty_result(file).rows.column_names
    assert DELETED in empty_result(COURSES).rows.column_names


def test_a_row_that_names_a_deleted_record_is_refused_or_loses_the_reference() -> None:
    upload = {
        **ROSTER,
        "courses": ("c1,One,deleted", "c2,Two,active"),
        "sections": ("s1,c1,,,active", "s2,c2,c1,,active", "s3,c9,,,active"),
        "seats": (),
    }

    assert found(_judged(upload)["sections"]) == [
        ("reject", "deleted_reference", 2, "Course"),
        ("warning", "deleted_reference", 3, "Second"),
        ("reject", "unknown_reference", 4, "Course"),
    ]


def test_a_deleted_row_may_name_what_is_deleted_or_gone() -> None:
    upload = {
        **ROSTER,
        "courses": ("c1,One,deleted", "c2,Two,active"),
        "sections": ("s1,c1,,,deleted", "s2,c9,,,deleted"),
        "seats": (),
    }

    assert found(_judged(upload)["sections"]) == []


def test_a_deleted_row_takes_no_unique_value() -> None:
    upload = {**ROSTER, "sections": ("s1,c1,,1,deleted", "s2,c2,,1,active"), "seats": ()}

    assert found(_judged(upload)["sections"]) == []


# ---- planning


def test_a_record_that_a_row_says_is_deleted_closes_so_and_what_follows_goes_along() -> None:
    after = {
        **ROSTER,
        "sections": ("s1,c1,,1,deleted", "s2,c2,,2,active"),
        "seats": ("s1,p1,deleted", "s1,p2,active", "s2,p1,active"),
    }
    plan = _plan(ROSTER, after)

    assert _closes(plan) == {"sections": [(0, "deleted")], "enrollments": [(0, "deleted"), (1, "cascade")]}
    assert [(t.deleted, t.absent) for t in plan.tables.values()] == [(0, 0), (1, 0), (2, 0)]


def test_what_is_left_out_with_a_deleted_record_follows_it_and_is_no_removal() -> None:
    after = {"courses": ("c1,One,deleted", "c2,Two,active"), "sections": ("s2,c2,,2,active",), "seats": ("s2,p1,active",)}
    plan = _plan(ROSTER, after)

    assert _closes(plan) == {
        "courses": [(0, "deleted")],
        "sections": [(0, "cascade")],
        "enrollments": [(0, "cascade"), (1, "cascade")],
    }
    assert exceeded_thresholds(plan, Thresholds(delete_pct=0, delete_min=1, update_pct=100, add_pct=100)) == ()


def test_what_is_left_out_with_an_absent_record_is_absent_too() -> None:
    after = {"courses": ("c2,Two,active",), "sections": ("s2,c2,,2,active",), "seats": ("s2,p1,active",)}
    plan = _plan(ROSTER, after)

    assert {reason for closes in _closes(plan).values() for _, reason in closes} == {"absent"}
    assert [t.absent for t in plan.tables.values()] == [1, 1, 2]


def test_a_deleted_row_of_an_unknown_record_is_nothing() -> None:
    after = {**ROSTER, "courses": (*ROSTER["courses"], "c9,Nine,deleted"), "seats": (*ROSTER["seats"], "s1,p9,deleted")}

    assert _plan(ROSTER, after).is_empty


def test_a_refused_row_deletes_nobody() -> None:
    after = {
        **ROSTER,
        "courses": (*ROSTER["courses"][:1], "c2,,deleted"),
        "sections": ROSTER["sections"][:1],
        "seats": ROSTER["seats"][:2],
    }
    named = {"courses": _judged(after)["courses"].doubtful_keys}
    plan = _plan(ROSTER, after, doubtful_keys=named, identity={("courses", "courses"): {"course_id": "Id"}})

    assert plan.tables["courses"].is_empty


def test_of_two_rows_of_a_record_the_one_that_keeps_it_stands_in_either_order() -> None:
    active_first = {**ROSTER, "courses": ("c1,One,active", "c1,One,deleted", "c2,Two,active")}
    deleted_first = {**ROSTER, "courses": ("c1,One,deleted", "c1,One,active", "c2,Two,active")}

    assert _plan(ROSTER, active_first).is_empty
    assert _plan(ROSTER, deleted_first).is_empty


@pytest.mark.parametrize("section", ["s1,c2,,1,active", "s1,c2,,1,deleted"])
def test_a_key_cell_that_another_file_gives_need_not_be_what_it_was(section: str) -> None:
    """The section has moved to another course; the row of the seat names section and person, and no course."""
    after = {**ROSTER, "sections": (section, "s2,c2,,2,active"), "seats": ("s1,p1,deleted", "s1,p2,deleted", "s2,p1,active")}

    assert _closes(_plan(ROSTER, after))["enrollments"] == [(0, "deleted"), (1, "deleted")]


def test_a_row_speaks_of_its_own_record_only() -> None:
    after = {**ROSTER, "seats": ("s1,p1,deleted", "s1,p2,active", "s2,p1,active")}

    assert _closes(_plan(ROSTER, after)) == {"enrollments": [(0, "deleted")]}


def test_a_record_that_was_deleted_comes_back() -> None:
    before = {**ROSTER, "seats": ("s1,p1,deleted", "s1,p2,active", "s2,p1,active")}
    plan = _plan(before, ROSTER)

    assert (plan.tables["enrollments"].created, plan.tables["enrollments"].deleted) == (1, 0)


def test_what_rows_say_counts_where_nothing_may_be_removed() -> None:
    after = {"courses": ROSTER["courses"], "sections": ROSTER["sections"][1:], "seats": ("s1,p1,deleted", "s2,p1,active")}

    assert _closes(_plan(ROSTER, after, has_refused_file=True)) == {"enrollments": [(0, "deleted")]}


def test_a_person_may_leave_out_what_rows_say() -> None:
    after = {**ROSTER, "seats": ("s1,p1,deleted", "s1,p2,active"), "sections": ("s1,c1,,1,active", "s2,c2,,2,deleted")}
    plan = _plan(ROSTER, after, exclusions=Exclusions(tables=frozenset({"enrollments"})))

    assert _closes(plan) == {}


def test_the_plan_tells_how_many_go_for_which_reason() -> None:
    after = {"courses": ("c1,One,deleted", "c2,Two,active"), "sections": ("s1,c1,,1,deleted",), "seats": ("s1,p1,active",)}

    assert {name: table.reasons for name, table in _plan(ROSTER, after).tables.items()} == {
        "courses": {"deleted": 1},
        "sections": {"deleted": 1, "absent": 1},
        "enrollments": {"cascade": 2, "absent": 1},
    }
