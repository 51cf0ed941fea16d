"""Mastery Connect's code lists, and the canonical code of each value. Keys are compared without regard to case.

Source: the "Format" and "Notes" columns of the document's tables.
"""

from roster_etl.canonical.codes import GRADE_ALIASES

STATUS_OPTIONS = ("active", "deleted")
STATUSES = {"active": "active"}  # a deleted record has no current version, and therefore no status
DELETED = ("deleted",)

ROLE_OPTIONS = ("student", "teacher")
ROLES = {"student": "student", "teacher": "teacher"}
STUDENT = ("student",)
TEACHER = ("teacher",)

# The document lists the first words and numbers, then "etc."; the rest is what such rosters contain.
GRADES = GRADE_ALIASES
GRADE_OPTIONS = (*GRADES,)

GENDERS = {"M": "M", "F": "F"}
RACES = {"A": "A", "B": "B", "I": "I", "M": "M", "P": "P", "W": "W"}
FLAGS = {"True": True, "False": False}
