"""logins.csv: further logins of known users."""

from roster_etl.spec import Column, Email, File, HeaderPattern, RequireAnyOf, Text
from roster_etl.vendors.canvas.codes import LOGIN_CHARS

LOGINS = File(
    name="logins",
    title="Further logins of users",
    source="logins.csv",
    key=("user_id",),
    columns=(
        Column("user_id", required=True, note="The login's own SIS id; not used before."),
        Column("integration_id", note="A second id of the login."),
        Column(
            "login_id",
            required=True,
            cell_format=Text(max_length=LOGIN_CHARS, printable=True),
            note="What the user logs in with; unique without regard to case.",
        ),
        Column("password", secret=True, note="Never read, blanked before anything is stored."),
        Column("ssha_password", secret=True, note="A hashed password: never read, blanked before anything is stored."),
        Column("authentication_provider_id", note="The provider that the login is for."),
        Column("existing_user_id", sticky=True, note="The user that the login is for, by SIS id."),
        Column("existing_integration_id", sticky=True, note="The user that the login is for, by integration id."),
        Column(
            "existing_canvas_user_id",
            sticky=True,
            note="The user that the login is for, by the vendor's own id, which nobody else knows.",
        ),
        Column("root_account", unmapped="About other installations of the vendor.", note="For users of other installations."),
        Column("email", cell_format=Email(), note="The login's e-mail address."),
    ),
    ordered_changes=True,
    recognised_by=HeaderPattern(any_of=(("existing_user_id", "existing_integration_id", "existing_canvas_user_id"),)),
    rules=(RequireAnyOf(columns=("existing_user_id", "existing_integration_id", "existing_canvas_user_id")),),
    required=False,
    note="Logins are added here, and removed by users.csv.",
)
