"""Mastery Connect's code lists, and what each code is in the canonical roster.

Belongs here: literals. Does not belong here: functions that apply them (``mapping.columns``).
Keys are compared without regard to case. Source: the "Format" and "Notes" columns of the document's tables.
"""

STATUS_OPTIONS = ("active", "deleted")
STATUSES = {"active": "active"}  # a record that is deleted has no current version, and so no status
DELETED = ("deleted",)

ROLE_OPTIONS = ("student", "teacher")
ROLES = {"student": "student", "teacher": "teacher"}
STUDENT = ("student",)
TEACHER = ("teacher",)

# The document names the first words and numbers "etc."; the rest is what rosters of this kind write.
GRADE_OPTIONS = (
    "InfantToddler",
    "Preschool",
    "PreKindergarten",
    "TransitionalKindergarten",
    "Kindergarten",
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "7",
    "8",
    "9",
    "10",
    "11",
    "12",
    "13",
    "01",
    "02",
    "03",
    "04",
    "05",
    "06",
    "07",
    "08",
    "09",
    "PostGraduate",
    "Ungraded",
    "Other",
)

# CEDS entry grade levels; a whole number may have its leading zero.
GRADES = {
    "InfantToddler": "IT",
    "Preschool": "PR",
    "PreKindergarten": "PK",
    "TransitionalKindergarten": "TK",
    "Kindergarten": "KG",
    "1": "01",
    "2": "02",
    "3": "03",
    "4": "04",
    "5": "05",
    "6": "06",
    "7": "07",
    "8": "08",
    "9": "09",
    "10": "10",
    "11": "11",
    "12": "12",
    "13": "13",
    "01": "01",
    "02": "02",
    "03": "03",
    "04": "04",
    "05": "05",
    "06": "06",
    "07": "07",
    "08": "08",
    "09": "09",
    "PostGraduate": "PS",
    "Ungraded": "UG",
    "Other": "OT",
}

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
