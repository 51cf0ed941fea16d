"""Code lists of the canonical roster, in order, each code with its meaning.

Their meaning does not depend on the vendor, whose module translates its own values into codes.
"""

from __future__ import annotations

from typing import Final

# Source: CEDS element "Grade Level", the part that rosters use, in the order of a school career.
GRADES: Final[dict[str, str]] = {
    "IT": "Infant or toddler",
    "PR": "Preschool",
    "PK": "Prekindergarten",
    "TK": "Transitional kindergarten",
    "KG": "Kindergarten",
    "01": "First grade",
    "02": "Second grade",
    "03": "Third grade",
    "04": "Fourth grade",
    "05": "Fifth grade",
    "06": "Sixth grade",
    "07": "Seventh grade",
    "08": "Eighth grade",
    "09": "Ninth grade",
    "10": "Tenth grade",
    "11": "Eleventh grade",
    "12": "Twelfth grade",
    "13": "Grade 13",
    "PS": "Postsecondary",
    "UG": "Ungraded",
    "OT": "Other",
}

# Spellings of grades in rosters whose format does not require the codes; whole numbers may have a leading zero.
GRADE_ALIASES: Final[dict[str, str]] = {
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

GENDERS: Final[dict[str, str]] = {"M": "Male", "F": "Female", "X": "Non-binary"}

RACES: Final[dict[str, str]] = {
    "A": "Asian",
    "B": "Black or African-American",
    "I": "American Indian or Alaska Native",
    "M": "Multiracial",
    "P": "Hawaiian or Pacific Islander",
    "W": "White",
}

FRL: Final[dict[str, str]] = {"F": "Free lunch", "R": "Reduced-price lunch", "N": "No discount"}

ORGANIZATION_TYPES: Final[dict[str, str]] = {
    "district": "The district itself",
    "school": "A school or site",
    "office": "The district office",
    "account": "An account of a learning platform",
    "department": "A part of a school or district",
    "local": "A local education agency",
    "state": "A state",
    "national": "A country",
}

USER_KINDS: Final[dict[str, str]] = {
    "student": "A student, in a format with a file of students",
    "teacher": "A teacher, in a format with a file of teachers",
    "staff": "A member of staff, in a format with a file of staff",
    "user": "Anybody, in a format where one file holds everybody",
}

USER_STATUSES: Final[dict[str, str]] = {
    "active": "May log in; also where a format has no status",
    "suspended": "Known, but may not log in",
}

# Roles with a canonical name. A source's own role names are allowed too.
USER_ROLES: Final[dict[str, str]] = {
    "student": "Attends the organization",
    "teacher": "Teaches at the organization",
    "staff": "Works at the organization, not as a teacher",
    "tech_lead": "Looks after the organization's technology",
    "admin": "Administers the organization",
}

ENROLLMENT_ROLES: Final[dict[str, str]] = {
    "student": "Learns in the section",
    "teacher": "Teaches the section",
    "ta": "Assists the teacher",
    "designer": "Builds the course's content",
    "observer": "Watches a student of the section",
}

ENROLLMENT_TYPES: Final[dict[str, str]] = {
    "StudentEnrollment": "Dates of the term for students",
    "TeacherEnrollment": "Dates of the term for teachers",
    "TaEnrollment": "Dates of the term for teaching assistants",
    "DesignerEnrollment": "Dates of the term for course designers",
}

COURSE_STATUSES: Final[dict[str, str]] = {"active": "Taught now", "completed": "Taught earlier"}

ENROLLMENT_STATUSES: Final[dict[str, str]] = {
    "active": "Enrolled now",
    "completed": "Enrolled earlier",
    "inactive": "Listed, but without access",
}
