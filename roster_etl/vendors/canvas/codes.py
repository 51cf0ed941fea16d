"""Words of the document that several files share, and what they stand for."""

CLEAR = "<delete>"
"""What a cell holds to clear its value, where the document has it so."""

BOOLEANS = ("true", "false", "1", "0", "yes", "no", "y", "n", "t", "f", "on", "off")
ENROLLMENT_TYPES = ("StudentEnrollment", "TeacherEnrollment", "TaEnrollment", "DesignerEnrollment")
USER_TYPES = ("administrative", "observer", "staff", "student", "student_other", "teacher", CLEAR)
RENAMED = ("account", "term", "course", "section", "group", "group_category", "user")
