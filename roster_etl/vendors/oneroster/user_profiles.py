"""userProfiles.csv, as section 4.19 of the CSV Binding 1.2 states it; 1.1 has no such file."""

from roster_etl.spec import Column, File, Identity, Reference
from roster_etl.vendors.oneroster.common import COMMON, DATA_FILE

_IDENTITY = Identity(columns=("userSourcedId", "username"))
_AS_EXTENSION = "Kept in the extensions of the login."

USER_PROFILES = File(
    name="userProfiles",
    title="Further logins of users",
    source="4.19",
    columns=(
        *COMMON,
        Column(
            "userSourcedId",
            required=True,
            purge_with_person=True,
            references=Reference("users", "sourcedId"),
            note="The user whom it belongs to.",
        ),
        Column("profileType", required=True, unmapped=_AS_EXTENSION, note="What kind of profile it is."),
        Column("vendorId", required=True, note="Where the login is checked."),
        Column("applicationId", note="The application that the login is for."),
        Column("description", unmapped=_AS_EXTENSION, note="A description."),
        Column("credentialType", required=True, unmapped=_AS_EXTENSION, note="What kind of login it is."),
        Column("username", required=True, note="The name to log in with."),
        Column("password", secret=True, note="Never read, blanked before anything is stored."),
    ),
    identity=_IDENTITY,
    **DATA_FILE,
)
