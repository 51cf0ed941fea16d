"""group_categories.csv: sets of groups, of an account or of a course."""

from roster_etl.spec import Column, File, HeaderPattern, Status

GROUP_CATEGORIES = File(
    name="group_categories",
    title="Sets of groups",
    source="group_categories.csv",
    key=("group_category_id",),
    columns=(
        Column("group_category_id", required=True, note="The set's SIS id. The document's newer edition requires it; so do we."),
        Column("account_id", note="The account that the set belongs to; without account and course: the root account."),
        Column("course_id", note="The course that the set belongs to; not together with account_id."),
        Column("category_name", required=True, sticky=True, note="The set's name, unique in its account or course."),
        Column("status", required=True, cell_format=Status(("active", "deleted")), note="Of the set."),
    ),
    ordered_changes=True,
    recognised_by=HeaderPattern(all_of=("group_category_id", "category_name")),
    required=False,
)
