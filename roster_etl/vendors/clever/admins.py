"""admins.csv, deprecated, as section 3.7 of the document states it."""

from roster_etl.spec import Column, Email, File, Identity, Reference, SharedIds, Unique

ADMINS = File(
    name="admins",
    title="School administrators (deprecated: staff.csv replaces it)",
    source="3.7",
    required=False,
    deprecated=True,
    key=("Staff_id", "School_id"),
    columns=(
        Column(
            "School_id",
            required=True,
            references=Reference("schools", "School_id"),
            note="A school that the person manages. One row for each.",
        ),
        Column("Staff_id", required=True, note="The person's id, unique in the district; the same in each of the person's rows."),
        Column(
            "Admin_email",
            required=True,
            cell_format=Email(),
            unique=Unique(per=("Staff_id",)),
            note="The person's e-mail address, no other administrator's.",
        ),
        Column("First_name", required=True, note="First name."),
        Column("Last_name", required=True, note="Last name."),
        Column("Admin_title", note="Job title."),
        Column("Username", note="Log-in name for the vendor's password log-in."),
        Column(
            "Password",
            secret=True,
            note="Password for the vendor's password log-in. Never read, blanked before anything is stored.",
        ),
        Column(
            "Role",
            note="School Tech Lead, SchoolTechLead or STL (case does not count) in any row makes the person tech lead "
            "at all of the person's schools; no other role is supported.",
        ),
    ),
    identity=Identity(
        key=("Staff_id",),
        columns=("First_name", "Last_name", "Admin_email"),
        shared=SharedIds(
            file="staff",
            columns=(
                ("Staff_id", "Staff_id"),
                ("First_name", "First_name"),
                ("Last_name", "Last_name"),
                ("Admin_email", "Staff_email"),
            ),
            first=True,
        ),
    ),
    extensions=("ext.",),
    note="School administrators, once for each school. Deprecated, still read; "
    "a person who is in staff.csv too is taken from there. "
    "The document names no ext. columns for this file; they are let through all the same.",
)
