"""groups_membership.csv: users in groups."""

from roster_etl.spec import Column, File, HeaderPattern, Status

GROUPS_MEMBERSHIP = File(
    name="groups_membership",
    title="Users in groups",
    source="groups_membership.csv",
    key=("group_id", "user_id"),
    columns=(
        Column("group_id", required=True, note="The group."),
        Column("user_id", required=True, note="The user; for a group of a course, one who is enrolled in it."),
        Column("status", required=True, cell_format=Status(("accepted", "deleted")), note="Of the membership."),
    ),
    ordered_changes=True,
    recognised_by=HeaderPattern(all_of=("group_id", "user_id")),
    required=False,
)
