"""The roster's declaration keeps its own rules."""

import re

import pyarrow as pa
import pytest

from roster_etl.canonical import COMMON, TABLES, RosterColumn, RosterTable
from roster_etl.canonical.codes import ENROLLMENT_TYPES, GRADES
from roster_etl.canonical.roster import FEED


def test_tables_are_published_parents_first():
    assert list(TABLES) == [
        "organizations", "terms", "term_dates", "users", "user_identifiers", "user_roles", "student_profiles", "contacts", "courses",
        "sections", "section_terms", "enrollments", "logins", "observers", "group_categories", "groups", "group_memberships",
        "attendance", "id_changes",
    ]  # fmt: skip


@pytest.mark.parametrize("table", TABLES.values(), ids=str)
def test_every_column_says_what_it_means(table):
    for column in (*FEED, *table.columns, *COMMON):
        assert re.fullmatch(r"[a-z][a-z0-9_]*", column.name)
        assert len(column.comment) > 3


@pytest.mark.parametrize("table", TABLES.values(), ids=str)
def test_no_table_keeps_a_password(table):
    assert not [name for name in table.names if "password" in name]


def test_names_end_in_what_they_are():
    kinds = {column.name: column.type for table in TABLES.values() for column in (*table.columns, *COMMON)}

    assert all(kind == "timestamp" for name, kind in kinds.items() if name.endswith("_at"))
    assert all(kind == "date" for name, kind in kinds.items() if name.endswith("_date"))
    assert all(kind == "text" for name, kind in kinds.items() if name.endswith("_id"))


def test_what_may_be_null_in_a_key():
    assert {name: table.optional_key for name, table in TABLES.items() if table.optional_key} == {
        "enrollments": ("section_id", "associated_user_id"),
        "user_roles": ("organization_id",),
        "attendance": ("period",),
    }


def test_attendance_and_id_changes_are_made_of_events():
    assert [name for name, table in TABLES.items() if table.holds_events] == ["attendance", "id_changes"]


def test_the_arrow_schema_follows_from_the_columns():
    schema = TABLES["student_profiles"].arrow_schema

    assert schema.field("birth_date").type == pa.date32()
    assert schema.field("ell").type == pa.bool_()
    assert schema.field("weighted_gpa").type == pa.float64()
    assert schema.field("graduation_year").type == pa.int64()
    assert TABLES["terms"].arrow_schema.field("end_at").type == pa.timestamp("us", tz="UTC")
    assert TABLES["terms"].full_schema.names[:3] == ["version_id", "district_id", "source"]


def test_a_table_that_contradicts_itself_is_refused():
    column = RosterColumn("a", "text", "A")
    with pytest.raises(ValueError, match="twice"):
        RosterTable("t", ("a",), (column, column), "T")
    with pytest.raises(ValueError, match="key columns come first"):
        RosterTable("t", ("b",), (column,), "T")
    with pytest.raises(ValueError, match="part of the key"):
        RosterTable("t", ("a",), (column,), "T", optional_key=("a",))
    with pytest.raises(ValueError, match="has_school"):
        RosterTable("t", ("a",), (column,), "T", school_column="b")


def test_a_column_that_is_not_there_is_a_key_error():
    assert TABLES["users"].column("email").type == "text"
    with pytest.raises(KeyError):
        TABLES["users"].column("password")


def test_grades_stand_in_the_order_of_a_school_career():
    assert " ".join(GRADES) == "IT PR PK TK KG 01 02 03 04 05 06 07 08 09 10 11 12 13 PS UG OT"
    assert all(name.endswith("Enrollment") for name in ENROLLMENT_TYPES)
