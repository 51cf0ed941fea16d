"""courses.csv, as the section "COURSES CSV" of the document states it."""

from roster_etl.spec import Column, File, Identity, Reference, RowCondition, Status
from roster_etl.vendors.mastery_connect.codes import DELETED, STATUS_OPTIONS

COURSES = File(
    name="courses",
    title="Courses",
    source="COURSES CSV",
    key=("course_id",),
    columns=(
        Column(
            "account_id",
            required=True,
            references=Reference("accounts", "account_id"),
            note="The school that offers the course; its sections belong to that school.",
        ),
        Column("course_id", required=True, note="The course's id; sections.csv refers to it."),
        Column("long_name", required=True, note="The course's name. It may be the same as the short one."),
        Column("short_name", required=True, note="A short name."),
        Column("status", required=True, cell_format=Status(STATUS_OPTIONS), note="Whether the course is active or deleted."),
    ),
    identity=Identity(columns=("account_id", "long_name", "short_name")),
    deleted=RowCondition(column="status", values=DELETED),
    note="Every course of the district.",
)
