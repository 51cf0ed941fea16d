"""CatapultCONNECT's code lists, and what each code is in the canonical roster.

Belongs here: literals. Keys are compared without regard to case. The document gives no list of grades: known are whole
numbers (0 is kindergarten in the systems that export them so), the usual words and abbreviations, and the CEDS codes.
"""

from roster_etl.canonical.codes import GRADE_ALIASES

GRADES = {
    **GRADE_ALIASES,
    "IT": "IT",
    "PR": "PR",
    "PS": "PS",
    "PK": "PK",
    "PreK": "PK",
    "Pre-K": "PK",
    "TK": "TK",
    "K": "KG",
    "KG": "KG",
    "0": "KG",
    "00": "KG",
    "UG": "UG",
    "OT": "OT",
}
GRADE_OPTIONS = (*GRADES,)

# What each list of codes answers to: (file, column) -> its table. Every option of these columns must be in the table.
RECODES = {("students", "Grade"): GRADES}

# Values of Period that say homeroom (case does not count), and those that do where the district says that 0 is one.
HOMEROOM_PERIODS = ("homeroom", "home room", "HR")
HOMEROOM_PERIODS_AND_ZERO = ("homeroom", "home room", "HR", "0")

# The two contacts of a student's row: what kind each is.
PRIMARY = "Primary"
SECONDARY = "Secondary"
