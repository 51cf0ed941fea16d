"""Dyknow's code lists, and the canonical code of each value.

Belongs here: literals. Keys are compared without regard to case. Source: "Students.csv", "grade": the CEDS codes of the
element Entry Grade Level, where single digits need their leading zero.
"""

# CEDS spells out the last one; other systems export its two letters.
GRADES = {
    "IT": "IT",
    "PR": "PR",
    "PK": "PK",
    "TK": "TK",
    "KG": "KG",
    "01": "01",
    "02": "02",
    "03": "03",
    "04": "04",
    "05": "05",
    "06": "06",
    "07": "07",
    "08": "08",
    "09": "09",
    "10": "10",
    "11": "11",
    "12": "12",
    "13": "13",
    "PS": "PS",
    "UG": "UG",
    "Other": "OT",
    "OT": "OT",
}
GRADE_OPTIONS = (*GRADES,)
