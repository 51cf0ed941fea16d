"""staff.csv, as section 3.6 of the document states it."""

from roster_etl.spec import Column, Email, File, Identity, Reference, SharedIds, Unique

STAFF = File(
    name="staff",
    title="Staff who are not teachers",
    source="3.6",
    required=False,
    key=("Staff_id", "School_id"),
    columns=(
        Column(
            "School_id",
            required=True,
            references=Reference("schools", "School_id", also=("DEFAULT_DISTRICT_OFFICE", "district")),
            note="A school of the person, or DEFAULT_DISTRICT_OFFICE, or district for every school. One row for each.",
        ),
        Column("Staff_id", required=True, note="The person's id, unique in the district; the same in each of the person's rows."),
        Column(
            "Staff_email",
            required=True,
            cell_format=Email(),
            unique=Unique(per=("Staff_id",)),
            note="The person's e-mail address, no one else's on the staff.",
        ),
        Column("First_name", required=True, note="First name."),
        Column("Last_name", required=True, note="Last name."),
        Column("Department", note="Department."),
        Column("Title", note="Job title."),
        Column("Username", note="Log-in name for the vendor's password log-in."),
        Column(
            "Password",
            secret=True,
            note="Password for the vendor's password log-in. Never read, blanked before anything is stored.",
        ),
        Column(
            "Role",
            note="School Tech Lead, SchoolTechLead or STL (case does not count) in any row makes the person tech lead "
            "at all of the person's schools; anything else means portal access only.",
        ),
    ),
    identity=Identity(
        key=("Staff_id",),
        columns=("First_name", "Last_name", "Staff_email"),
        shared=SharedIds(
            file="admins",
            columns=(
                ("Staff_id", "Staff_id"),
                ("First_name", "First_name"),
                ("Last_name", "Last_name"),
                ("Staff_email", "Admin_email"),
            ),
        ),
    ),
    extensions=("ext.",),
    note="People of schools and offices who are in no class roster, once for each school or office.",
)
