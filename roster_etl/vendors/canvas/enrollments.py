"""enrollments.csv, as the document states it."""

from roster_etl.spec import Choice, Column, DateTime, File, HeaderPattern, RequireAnyOf, Status
from roster_etl.vendors.canvas.codes import BOOLEANS

ENROLLMENTS = File(
    name="enrollments",
    title="Enrollments of users in sections",
    source="enrollments.csv",
    key=("course_id", "section_id", "user_id", "user_integration_id", "role", "role_id", "associated_user_id"),
    columns=(
        Column("course_id", note="The course; without section_id, its default section is meant."),
        Column("root_account", unmapped="About other installations of the vendor.", note="For users of other installations."),
        Column(
            "start_date", sticky=True, cell_format=DateTime(), note="When the enrollment begins; counts together with end_date."
        ),
        Column(
            "end_date",
            sticky=True,
            cell_format=DateTime(),
            note="When the enrollment has ended (exclusive); counts together with start_date.",
        ),
        Column("user_id", note="The user, by SIS id; ignored beside user_integration_id."),
        Column("user_integration_id", note="The user, by integration id."),
        Column("role", note="teacher, ta, designer, student, observer, or the name of a custom role."),
        Column("role_id", note="The role by its id in the account's role list (option custom_roles); wins over role."),
        Column("section_id", note="The section."),
        Column(
            "status",
            required=True,
            cell_format=Status(("active", "completed", "inactive", "deleted", "deleted_last_completed")),
            note="deleted_last_completed, newer than the document: deleted, but completed if it is the user's last one of the role.",
        ),
        Column("associated_user_id", note="Whom an observer observes; ignored for other roles."),
        Column(
            "limit_section_privileges",
            cell_format=Choice(BOOLEANS),
            note="Whether the user sees people of the own section alone. Blank leaves it as it is.",
        ),
        Column(
            "notify", unmapped="About an e-mail that the vendor sends.", note="Whether the user is notified of the enrollment."
        ),
        Column(
            "temporary_enrollment_source_user_id",
            unmapped="Temporary enrollments are a matter of the vendor's programs.",
            note="Newer than the document.",
        ),
    ),
    ordered_changes=True,
    recognised_by=HeaderPattern(any_of=(("section_id", "course_id"), ("user_id", "user_integration_id"))),
    rules=(
        RequireAnyOf(columns=("course_id", "section_id")),
        RequireAnyOf(columns=("user_id", "user_integration_id")),
        RequireAnyOf(columns=("role", "role_id")),
    ),
    required=False,
)
