"""courses.csv, as the document states it."""

from roster_etl.spec import Choice, Column, DateTime, File, HeaderPattern, Status
from roster_etl.vendors.canvas.codes import BOOLEANS, CLEAR

COURSES = File(
    name="courses",
    title="Courses",
    source="courses.csv",
    key=("course_id",),
    columns=(
        Column("course_id", required=True, note="The course's SIS id."),
        Column("short_name", required=True, sticky=True, note="The course's code."),
        Column("long_name", required=True, sticky=True, note="The course's name."),
        Column(
            "account_id",
            sticky=True,
            note="The account that the course belongs to; blank leaves a known course where it is, and puts a new one into the root.",
        ),
        Column(
            "term_id",
            sticky=True,
            note="The course's term; blank, unknown or deleted leaves a known course as it is, and a new one in the default term.",
        ),
        Column(
            "status",
            required=True,
            sticky=True,
            cell_format=Status(("active", "unpublished", "published", "completed", "deleted")),
            note="unpublished is newer than the document and means active.",
        ),
        Column("integration_id", note="A second id of the course, unique among courses."),
        Column(
            "start_date",
            sticky=True,
            cell_format=DateTime(keywords=(CLEAR,)),
            note="When the course begins; blank or `<delete>` clears it.",
        ),
        Column(
            "end_date",
            sticky=True,
            cell_format=DateTime(keywords=(CLEAR,)),
            note="When the course has ended (exclusive); blank or `<delete>` clears it.",
        ),
        Column(
            "course_format",
            strict=True,
            cell_format=Choice(("online", "on_campus", "blended", "not_set")),
            note="How the course is taught. not_set is newer than the document.",
        ),
        Column(
            "blueprint_course_id", note="The blueprint course that this one follows; dissociate removes the link. Blank keeps it."
        ),
        Column(
            "homeroom_course", cell_format=Choice(BOOLEANS), note="Whether the course is a homeroom. Blank leaves it as it is."
        ),
        Column(
            "grade_passback_setting",
            strict=True,
            sticky=True,
            cell_format=Choice(("nightly_sync", "disabled", "not_set")),
            unmapped="About grades that the vendor sends on; no part of a roster.",
            note="Newer than the document; checked, and not kept.",
        ),
        Column("friendly_name", unmapped="A name for one of the vendor's pages.", note="Newer than the document."),
        Column("fallback_account_id", note="The account where account_id is unknown. In the programs, not in the document."),
        Column(
            "abstract_course_id", unmapped="Abstract courses are not supported.", note="In the programs, not in the document."
        ),
    ),
    ordered_changes=True,
    recognised_by=HeaderPattern(all_of=("course_id", "short_name")),
    required=False,
)
