"""Kinds of file that the vendor accepts and that contain no roster: recognised by their headers, reported, and skipped."""

from roster_etl.spec import HeaderPattern, UnsupportedFile

UNSUPPORTED = (
    UnsupportedFile(
        "abstract_courses",
        title="Abstract courses",
        recognised_by=HeaderPattern(all_of=("abstract_course_id", "short_name"), none_of=("course_id",)),
    ),
    UnsupportedFile(
        "differentiation_tag_sets",
        title="Sets of differentiation tags",
        recognised_by=HeaderPattern(all_of=("tag_set_id", "set_name")),
    ),
    UnsupportedFile("differentiation_tags", title="Differentiation tags", recognised_by=HeaderPattern(all_of=("tag_id", "name"))),
    UnsupportedFile(
        "differentiation_tag_membership",
        title="Users with differentiation tags",
        recognised_by=HeaderPattern(all_of=("tag_id", "user_id")),
    ),
    UnsupportedFile(
        "institutional_tag_categories",
        title="Sets of institutional tags",
        recognised_by=HeaderPattern(all_of=("category_id", "name"), none_of=("institutional_tag_id",)),
    ),
    UnsupportedFile(
        "institutional_tags",
        title="Institutional tags",
        recognised_by=HeaderPattern(all_of=("institutional_tag_id", "category_id", "name")),
    ),
    UnsupportedFile(
        "institutional_tag_associations",
        title="Users with institutional tags",
        recognised_by=HeaderPattern(all_of=("institutional_tag_id", "user_id")),
    ),
    UnsupportedFile(
        "grade_publishing_results",
        title="Results of publishing grades",
        recognised_by=HeaderPattern(all_of=("enrollment_id", "grade_publishing_status")),
    ),
)
