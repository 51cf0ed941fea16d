"""groups.csv, as the document states it."""

from roster_etl.spec import Column, File, HeaderPattern, Status

GROUPS = File(
    name="groups",
    title="Groups",
    source="groups.csv",
    key=("group_id",),
    columns=(
        Column("group_id", required=True, note="The group's SIS id."),
        Column("group_category_id", note="The set that the group belongs to."),
        Column("account_id", note="The account that the group belongs to; without account and course: the root account."),
        Column("course_id", note="The course that the group belongs to; not together with account_id."),
        Column("name", required=True, sticky=True, note="The group's name; needed to delete it, too."),
        Column(
            "status",
            required=True,
            cell_format=Status(("available", "closed", "completed", "deleted")),
            note="closed and completed are in the programs, not in the document; all but deleted mean that the group is there.",
        ),
    ),
    ordered_changes=True,
    recognised_by=HeaderPattern(all_of=("group_id", "name")),
    required=False,
)
