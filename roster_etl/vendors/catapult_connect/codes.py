"""CatapultCONNECT's code lists, and what each code is in the canonical roster.

Belongs here: literals. Keys are compared without regard to case. The document gives no list of grades: known are whole
numbers (0 is kindergarten in the systems that export them so), the usual words and abbreviations, and the CEDS codes.
"""

GRADE_OPTIONS = (
    "IT",
    "InfantToddler",
    "PR",
    "PS",
    "Preschool",
    "PK",
    "PreK",
    "Pre-K",
    "PreKindergarten",
    "TK",
    "TransitionalKindergarten",
    "K",
    "KG",
    "Kindergarten",
    "0",
    "00",
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
    "UG",
    "Ungraded",
    "OT",
    "Other",
)

GRADES = {
    "IT": "IT",
    "InfantToddler": "IT",
    "PR": "PR",
    "Preschool": "PR",
    "PS": "PS",
    "PK": "PK",
    "PreK": "PK",
    "Pre-K": "PK",
    "PreKindergarten": "PK",
    "TK": "TK",
    "TransitionalKindergarten": "TK",
    "K": "KG",
    "KG": "KG",
    "Kindergarten": "KG",
    "0": "KG",
    "00": "KG",
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
    "UG": "UG",
    "Ungraded": "UG",
    "OT": "OT",
    "Other": "OT",
}

# What each list of codes answers to: (file, column) -> its table. Every option of these columns must be in the table.
RECODES = {("students", "Grade"): GRADES}

# Values of Period that say homeroom (case does not count), and those that do where the district says that 0 is one.
HOMEROOM_PERIODS = ("homeroom", "home room", "HR")
HOMEROOM_PERIODS_AND_ZERO = ("homeroom", "home room", "HR", "0")

# The two contacts of a student's row: what kind each is.
PRIMARY = "Primary"
SECONDARY = "Secondary"
