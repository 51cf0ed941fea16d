"""users.csv, as the document states it."""

from roster_etl.spec import Choice, Column, Email, File, Signature, Status, Text
from roster_etl.vendors.canvas.codes import USER_TYPES

USERS = File(
    name="users",
    file_name="users.csv",
    title="Users and their logins",
    source="users.csv",
    key=("user_id",),
    columns=(
        Column(name="user_id", required=True, note="The user's SIS id."),
        Column(name="integration_id", note="A second id of the user, unique among users; blank never erases it."),
        Column(
            name="login_id",
            required=True,
            sticky=True,
            cell_format=Text(max_length=100, printable=True),
            note="What the user logs in with; unique without regard to case.",
        ),
        Column(name="password", secret=True, note="Never read, blanked before anything is stored."),
        Column(name="ssha_password", secret=True, note="A hashed password: never read, blanked before anything is stored."),
        Column(
            name="authentication_provider_id",
            unmapped="A user's own login has no place for it; further logins have.",
            note="The provider that the login is for.",
        ),
        Column(name="first_name", sticky=True, note="Given name."),
        Column(name="last_name", sticky=True, note="Surname."),
        Column(name="full_name", sticky=True, note="The whole name; first_name and last_name do not count beside it."),
        Column(name="sortable_name", sticky=True, note='The name to sort by, "last, first"; derived unless given.'),
        Column(name="short_name", sticky=True, note="The name that is shown; the whole name unless given."),
        Column(
            name="email",
            cell_format=Email(),
            note="The user's e-mail address; blank keeps the known one. Several users may share one.",
        ),
        Column(name="pronouns", sticky=True, note="The user's pronouns; blank keeps them, `<delete>` removes them."),
        Column(
            name="declared_user_type",
            cell_format=Choice(options=USER_TYPES),
            note="What the user was declared to be; blank keeps it, `<delete>` removes it.",
        ),
        Column(
            name="canvas_password_notification",
            secret=True,
            note="About an e-mail that the vendor sends. Never read: whoever fills it may have put a password there.",
        ),
        Column(name="home_account", unmapped="About other installations of the vendor.", note="About consortia of accounts."),
        Column(
            name="status",
            required=True,
            sticky=True,
            cell_format=Status(options=("active", "suspended", "deleted")),
            note="Needed in every row, deletes included.",
        ),
    ),
    in_order=True,
    recognised_by=Signature(
        every=("user_id", "login_id"), none=("existing_user_id", "existing_integration_id", "existing_canvas_user_id")
    ),
    required=False,
)
