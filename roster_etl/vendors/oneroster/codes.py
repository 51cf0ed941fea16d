"""OneRoster's code lists, and the canonical code of each value.

Source: the tables of the CSV Binding, 1.1 and 1.2.
"""

from roster_etl.canonical.codes import GRADE_ALIASES
from roster_etl.canonical.codes import GRADES as CEDS_GRADES

EXTENDED = "ext:"  # begins the terms that 1.2 allows beside those of its lists

STATUSES = {"active": "active", "tobedeleted": "tobedeleted"}
DELETED = ("tobedeleted", "inactive")  # the second one is a word of 1.0
FORMER_STATUS = ("inactive",)
FLAGS = {"true": True, "false": False}
ENABLED = {"true": "active", "false": "suspended"}
ORGANIZATION_TYPES = {
    "department": "department",
    "school": "school",
    "district": "district",
    "local": "local",
    "state": "state",
    "national": "national",
}
SESSION_TYPES = {"gradingPeriod": "gradingPeriod", "semester": "semester", "schoolYear": "schoolYear", "term": "term"}
CLASS_TYPES = {"homeroom": "homeroom", "scheduled": "scheduled"}
# Of 1.1: one role a user.
USER_ROLES = {
    "administrator": "admin",
    "aide": "aide",
    "guardian": "guardian",
    "parent": "parent",
    "proctor": "proctor",
    "relative": "relative",
    "student": "student",
    "teacher": "teacher",
}
# Of roles.csv: kept as they are.
ROLES = {
    "aide": "aide",
    "counselor": "counselor",
    "districtAdministrator": "districtAdministrator",
    "guardian": "guardian",
    "parent": "parent",
    "principal": "principal",
    "proctor": "proctor",
    "relative": "relative",
    "siteAdministrator": "siteAdministrator",
    "student": "student",
    "systemAdministrator": "systemAdministrator",
    "teacher": "teacher",
}
ROLE_TYPES = {"primary": True, "secondary": False}
ENROLLMENT_ROLES = {
    "administrator": "administrator",
    "proctor": "proctor",
    "student": "student",
    "teacher": "teacher",
}
CUSTOM_ENROLLMENT_ROLES = ("aide",)
CONTACT_ROLES = ("parent", "guardian", "relative")
SEXES_OF_1_1 = {"male": "M", "female": "F"}
SEXES = {**SEXES_OF_1_1, "other": "X", "unspecified": None}

# The CEDS codes, the spellings that rosters of other formats have, and K and PreK, which practice writes.
GRADES = {
    **GRADE_ALIASES,
    "IT": "IT",
    "PR": "PR",
    "PK": "PK",
    "TK": "TK",
    "KG": "KG",
    "PS": "PS",
    "UG": "UG",
    "OT": "OT",
    "K": "KG",
    "PreK": "PK",
}
GRADE_OPTIONS = (*GRADES,)
GRADE_ORDER = (*CEDS_GRADES,)

# The code of each race, in the order of the columns of demographics.csv.
RACE_CODES = ("I", "A", "B", "P", "W")
SEVERAL_RACES = "M"
