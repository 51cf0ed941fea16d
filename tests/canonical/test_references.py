"""Which record refers to which."""

from __future__ import annotations

from roster_etl.canonical.references import REFERENCES, referenced_table
from roster_etl.canonical.roster import TABLES


def test_columns_and_tables_exist_and_a_parents_key_begins_with_what_is_named() -> None:
    for reference in REFERENCES:
        parent = TABLES[reference.parent]

        assert set(reference.columns) <= set(TABLES[reference.table].names)
        assert parent.key[: len(reference.parent_columns)] == reference.parent_columns
        assert len(reference.columns) == len(reference.parent_columns)


def test_parents_are_published_before_what_refers_to_them() -> None:
    order = list(TABLES)

    assert [r for r in REFERENCES if order.index(r.parent) >= order.index(r.table)] == []


def test_every_id_column_of_the_tables_that_clever_fills_refers_somewhere() -> None:
    told = {(reference.table, column) for reference in REFERENCES for column in reference.columns}
    named = {
        (table, column)
        for table in ("users", "user_roles", "student_profiles", "contacts", "courses", "sections", "enrollments")
        for column in ("course_id", "home_course_id", "section_id", "term_id", "organization_id", "user_id")
        if column in TABLES[table].names and TABLES[table].key[:1] != (column,) and table != "users"
    }

    assert named <= told


def test_what_a_column_names_is_told_with_the_columns_that_say_it() -> None:
    assert referenced_table("enrollments", "organization_id") == ("organizations", {"organization_id": "organization_id"})
    assert referenced_table("sections", "home_course_id") == ("courses", {"home_course_id": "course_id"})
    assert referenced_table("logins", "user_kind") == ("users", {"user_kind": "user_kind", "user_id": "user_id"})
    assert referenced_table("users", "email") is None


def test_every_column_of_an_id_that_can_be_edited_names_a_record() -> None:
    own = {
        "integration_id",
        "state_id",
        "merge_with_id",
        "authentication_provider_id",
        "master_id",
        "role_id",
        "enrollment_id",
    }  # of elsewhere
    editable = {(t.name, name) for t in TABLES.values() for name in set(t.names) - set(t.key) if name.endswith("_id")}

    assert {(table, name) for table, name in editable if name not in own and referenced_table(table, name) is None} == set()
