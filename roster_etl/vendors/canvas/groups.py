"""groups.csv, as the document states it."""

from roster_etl.spec import Column, File, Signature, Status

GROUPS = File(
    name="groups",
    file_name="groups.csv",
    title="Groups",
    source="groups.csv",
    key=("group_id",),
    columns=(
        Column(name="group_id", required=True, note="The group's SIS id."),
        Column(name="group_category_id", note="The set that the group belongs to."),
        Column(name="account_id", note="The account that the group belongs to; without account and course: the root account."),
        Column(name="course_id", note="The course that the group belongs to; not together with account_id."),
        Column(name="name", required=True, sticky=True, note="The group's name; needed to delete it, too."),
        Column(
            name="status",
            required=True,
            cell_format=Status(options=("available", "closed", "completed", "deleted")),
            note="closed and completed are in the programs, not in the document; all but deleted mean that the group is there.",
        ),
    ),
    in_order=True,
    recognised_by=Signature(every=("group_id", "name")),
    required=False,
)
