"""users.csv, as the document states it."""

from roster_etl.spec import Choice, Column, Email, File, HeaderPattern, Status, Text
from roster_etl.vendors.canvas.codes import LOGIN_CHARS, USER_TYPES

USERS = File(
    name="users",
    title="Users and their logins",
    source="users.csv",
    key=("user_id",),
    columns=(
        Column("user_id", required=True, note="The user's SIS id."),
        Column("integration_id", note="A second id of the user, unique among users; blank never erases it."),
        Column(
            "login_id",
            required=True,
            sticky=True,
            cell_format=Text(max_length=LOGIN_CHARS, printable=True),
            note="What the user logs in with; unique without regard to case.",
        ),
        Column("password", secret=True, note="Never read, blanked before anything is stored."),
        Column("ssha_password", secret=True, note="A hashed password: never read, blanked before anything is stored."),
        Column(
            "authentication_provider_id",
            unmapped="A user's own login has no place for it; further logins have.",
            note="The provider that the login is for.",
        ),
        Column("first_name", sticky=True, note="Given name."),
        Column("last_name", sticky=True, note="Surname."),
        Column("full_name", sticky=True, note="The whole name; first_name and last_name do not count beside it."),
        Column("sortable_name", sticky=True, note='The name to sort by, "last, first"; derived unless given.'),
        Column("short_name", sticky=True, note="The name that is shown; the whole name unless given."),
        Column(
            "email",
            cell_format=Email(),
            note="The user's e-mail address; blank keeps the known one. Several users may share one.",
        ),
        Column("pronouns", sticky=True, note="The user's pronouns; blank keeps them, `<delete>` removes them."),
        Column(
            "declared_user_type",
            cell_format=Choice(USER_TYPES),
            note="What the user was declared to be; blank keeps it, `<delete>` removes it.",
        ),
        Column(
            "canvas_password_notification",
            secret=True,
            note="About an e-mail that the vendor sends. Never read: whoever fills it may have put a password there.",
        ),
        Column("home_account", unmapped="About other installations of the vendor.", note="About consortia of accounts."),
        Column(
            "status",
            required=True,
            sticky=True,
            cell_format=Status(("active", "suspended", "deleted")),
            note="Needed in every row, deletes included.",
        ),
    ),
    ordered_changes=True,
    recognised_by=HeaderPattern(
        all_of=("user_id", "login_id"), none_of=("existing_user_id", "existing_integration_id", "existing_canvas_user_id")
    ),
    required=False,
)
