"""Values of the document that several files share, and the canonical codes for them."""

from collections.abc import Mapping

CLEAR = "<delete>"
"""The cell value that clears a stored value, where the document provides for it."""

BOOLEANS = ("true", "false", "1", "0", "yes", "no", "y", "n", "t", "f", "on", "off")
ENROLLMENT_TYPES = ("StudentEnrollment", "TeacherEnrollment", "TaEnrollment", "DesignerEnrollment")
USER_TYPES = ("administrative", "observer", "staff", "student", "student_other", "teacher", CLEAR)

TRUTH = {
    "true": True,
    "1": True,
    "yes": True,
    "y": True,
    "t": True,
    "on": True,
    "false": False,
    "0": False,
    "no": False,
    "n": False,
    "f": False,
    "off": False,
}
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

RECODES: Mapping[tuple[str, str], Mapping[str, object]] = {
    ("change_sis_id", "type"): ENTITIES,
    ("terms", "date_override_enrollment_type"): {
        "StudentEnrollment": "StudentEnrollment",
        "TeacherEnrollment": "TeacherEnrollment",
        "TaEnrollment": "TaEnrollment",
        "DesignerEnrollment": "DesignerEnrollment",
    },
    ("courses", "course_format"): {"online": "online", "on_campus": "on_campus", "blended": "blended", "not_set": None},
    ("courses", "homeroom_course"): TRUTH,
    ("courses", "grade_passback_setting"): {"nightly_sync": None, "disabled": None, "not_set": None},
    ("users", "declared_user_type"): {
        "administrative": "administrative",
        "observer": "observer",
        "staff": "staff",
        "student": "student",
        "student_other": "student_other",
        "teacher": "teacher",
        CLEAR: None,
    },
    ("enrollments", "limit_section_privileges"): TRUTH,
}
"""Every option of a code list, and its canonical code; None: no value is stored."""
