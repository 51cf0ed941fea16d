"""The template's example: a whole small format, from files to tables."""

from __future__ import annotations

from roster_etl.vendors import _template
from tests.walking import accepted, lines, map_upload

UPLOAD = {
    "schools": lines("school_id,name", "s1,Lincoln"),
    "people": lines(
        "person_id,school_id,first_name,last_name,role,email,password",
        "p1,s1,Ana,Okafor,teacher,ana@example.org,hidden",
        "p2,s1,Ben,Sato,student,,hidden",
    ),
}


def test_the_example_mappings_fill_three_tables() -> None:
    tables = {name: accepted(mapped.table) for name, mapped in map_upload(_template.VENDOR, UPLOAD).items()}

    assert [(row["organization_id"], row["type"], row["name"]) for row in tables["organizations"]] == [
        ("s1", "school", "Lincoln")
    ]
    assert [(row["user_id"], row["full_name"], row["email"]) for row in tables["users"]] == [
        ("p1", "Ana Okafor", "ana@example.org"),
        ("p2", "Ben Sato", None),
    ]
    assert [(row["user_id"], row["organization_id"], row["role"]) for row in tables["user_roles"]] == [
        ("p1", "s1", "teacher"),
        ("p2", "s1", "student"),
    ]


def test_every_column_but_secrets_goes_somewhere() -> None:
    read = {origin for mapping in _template.VENDOR.mappings for origins in mapping.lineage().values() for origin in origins}
    columns = {(file.name, column.name) for file in _template.FORMAT.files for column in file.columns if not column.secret}

    assert columns == read
