"""groups_membership.csv: users in groups."""

from roster_etl.spec import Column, File, Signature, Status

GROUPS_MEMBERSHIP = File(
    name="groups_membership",
    file_name="groups_membership.csv",
    title="Users in groups",
    source="groups_membership.csv",
    key=("group_id", "user_id"),
    columns=(
        Column(name="group_id", required=True, note="The group."),
        Column(name="user_id", required=True, note="The user; for a group of a course, one who is enrolled in it."),
        Column(name="status", required=True, cell_format=Status(options=("accepted", "deleted")), note="Of the membership."),
    ),
    in_order=True,
    recognised_by=Signature(every=("group_id", "user_id")),
    required=False,
)
