"""Values of the document that several files share, and the canonical codes for them."""

CLEAR = "<delete>"
"""The cell value that clears a stored value, where the document provides for it."""

BOOLEANS = ("true", "false", "1", "0", "yes", "no", "y", "n", "t", "f", "on", "off")
ENROLLMENT_TYPES = ("StudentEnrollment", "TeacherEnrollment", "TaEnrollment", "DesignerEnrollment")
USER_TYPES = ("administrative", "observer", "staff", "student", "student_other", "teacher", CLEAR)

ENTITIES = {
    "account": "organizations",
    "term": "terms",
    "course": "courses",
    "section": "sections",
    "group": "groups",
    "group_category": "group_categories",
    "user": "users",
}
RENAMED = (*ENTITIES,)

LOGIN_CHARS = 100
"""Characters that a login may have."""
