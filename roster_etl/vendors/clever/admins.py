"""admins.csv, deprecated, as section 3.7 of the document states it."""

from roster_etl.spec import Column, Email, File, Reference, Unique

ADMINS = File(
    name="admins",
    file_name="admins.csv",
    title="School administrators (deprecated: staff.csv replaces it)",
    source="3.7",
    required=False,
    deprecated=True,
    key=("Staff_id", "School_id"),
    columns=(
        Column(
            name="School_id",
            required=True,
            references=Reference(file="schools", column="School_id"),
            note="A school that the person manages. One row for each.",
        ),
        Column(
            name="Staff_id", required=True, note="The person's id, unique in the district; the same in each of the person's rows."
        ),
        Column(
            name="Admin_email",
            required=True,
            cell_format=Email(),
            unique=Unique(per=("Staff_id",)),
            note="The person's e-mail address, no other administrator's.",
        ),
        Column(name="First_name", required=True, note="First name."),
        Column(name="Last_name", required=True, note="Last name."),
        Column(name="Admin_title", note="Job title."),
        Column(name="Username", note="Log-in name for the vendor's password log-in."),
        Column(
            name="Password",
            secret=True,
            note="Password for the vendor's password log-in. Never read, blanked before anything is stored.",
        ),
        Column(
            name="Role",
            note="School Tech Lead, SchoolTechLead or STL (case does not count) in any row makes the person tech lead "
            "at all of the person's schools; no other role is supported.",
        ),
    ),
    extensions=("ext.",),
    note="School administrators, once for each school. Deprecated, still read; "
    "a person who is in staff.csv too is taken from there. "
    "The document names no ext. columns for this file; they are let through all the same.",
)
