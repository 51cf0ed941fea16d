"""Mastery Connect's code lists, and what each code is in the canonical roster.

Belongs here: literals. Does not belong here: functions that apply them (``mapping.value_functions``).
Keys are compared without regard to case. Source: the "Format" and "Notes" columns of the document's tables.
"""

from roster_etl.canonical.codes import GRADE_ALIASES

STATUS_OPTIONS = ("active", "deleted")
STATUSES = {"active": "active"}  # a record that is deleted has no current version, and so no status
DELETED = ("deleted",)

ROLE_OPTIONS = ("student", "teacher")
ROLES = {"student": "student", "teacher": "teacher"}
STUDENT = ("student",)
TEACHER = ("teacher",)

# The document names the first words and numbers "etc."; the rest is what rosters of this kind write.
GRADES = GRADE_ALIASES
GRADE_OPTIONS = (*GRADES,)

GENDERS = {"M": "M", "F": "F"}
RACES = {"A": "A", "B": "B", "I": "I", "M": "M", "P": "P", "W": "W"}
FLAGS = {"True": True, "False": False}

# What each list of codes answers to: (file, column) -> its table. Every option of these columns must be in the table.
RECODES = {
    ("users", "student_ell_status"): FLAGS,
    ("users", "student_gender"): GENDERS,
    ("users", "student_grade"): GRADES,
    ("users", "student_hispanic"): FLAGS,
    ("users", "student_race"): RACES,
    ("users", "user_role"): ROLES,
    ("enrollments", "role"): ROLES,
}
