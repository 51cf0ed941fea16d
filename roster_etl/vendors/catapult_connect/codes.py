"""CatapultCONNECT's code lists, and the canonical code of each value.

Belongs here: literals. Keys are compared without regard to case. The document has no list of grades. Accepted are whole
numbers (0 is kindergarten in the systems that export it), the usual names and abbreviations, and the CEDS codes.
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

# Values of Period that mean homeroom (case is ignored), and those that do if the district treats 0 as homeroom.
HOMEROOM_PERIODS = ("homeroom", "home room", "HR")
HOMEROOM_PERIODS_AND_ZERO = ("homeroom", "home room", "HR", "0")

# The kinds of the two contacts in a student's row.
PRIMARY = "Primary"
SECONDARY = "Secondary"
