"""courses.csv, as the document states it."""

from roster_etl.spec import Choice, Column, DateTime, File, Signature, Status
from roster_etl.vendors.canvas.codes import BOOLEANS, CLEAR

COURSES = File(
    name="courses",
    file_name="courses.csv",
    title="Courses",
    source="courses.csv",
    key=("course_id",),
    columns=(
        Column(name="course_id", required=True, note="The course's SIS id."),
        Column(name="short_name", required=True, sticky=True, note="The course's code."),
        Column(name="long_name", required=True, sticky=True, note="The course's name."),
        Column(
            name="account_id",
            sticky=True,
            note="The account that the course belongs to; blank leaves a known course where it is, and puts a new one into the root.",
        ),
        Column(
            name="term_id",
            sticky=True,
            note="The course's term; blank, unknown or deleted leaves a known course as it is, and a new one in the default term.",
        ),
        Column(
            name="status",
            required=True,
            sticky=True,
            cell_format=Status(options=("active", "unpublished", "published", "completed", "deleted")),
            note="unpublished is newer than the document and means active.",
        ),
        Column(name="integration_id", note="A second id of the course, unique among courses."),
        Column(
            name="start_date",
            sticky=True,
            cell_format=DateTime(keywords=(CLEAR,)),
            note="When the course begins; blank or `<delete>` clears it.",
        ),
        Column(
            name="end_date",
            sticky=True,
            cell_format=DateTime(keywords=(CLEAR,)),
            note="When the course has ended (exclusive); blank or `<delete>` clears it.",
        ),
        Column(
            name="course_format",
            strict=True,
            cell_format=Choice(options=("online", "on_campus", "blended", "not_set")),
            note="How the course is taught. not_set is newer than the document.",
        ),
        Column(
            name="blueprint_course_id",
            note="The blueprint course that this one follows; dissociate removes the link. Blank keeps it.",
        ),
        Column(
            name="homeroom_course",
            cell_format=Choice(options=BOOLEANS),
            note="Whether the course is a homeroom. Blank leaves it as it is.",
        ),
        Column(
            name="grade_passback_setting",
            strict=True,
            sticky=True,
            cell_format=Choice(options=("nightly_sync", "disabled", "not_set")),
            unmapped="About grades that the vendor sends on; no part of a roster.",
            note="Newer than the document; checked, and not kept.",
        ),
        Column(name="friendly_name", unmapped="A name for one of the vendor's pages.", note="Newer than the document."),
        Column(name="fallback_account_id", note="The account where account_id is unknown. In the programs, not in the document."),
        Column(
            name="abstract_course_id",
            unmapped="Abstract courses are not supported.",
            note="In the programs, not in the document.",
        ),
    ),
    in_order=True,
    recognised_by=Signature(every=("course_id", "short_name")),
    required=False,
)
