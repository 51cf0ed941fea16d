"""Words and options that several formats share."""

from __future__ import annotations

from roster_etl.spec import Option

GRADE_WORDS = {
    "IT": "InfantToddler", "PR": "Preschool", "PK": "PreKindergarten", "TK": "TransitionalKindergarten", "KG": "Kindergarten",
    "01": "1", "02": "2", "03": "3", "04": "4", "05": "5", "06": "6", "07": "7", "08": "8", "09": "9", "10": "10", "11": "11",
    "12": "12", "13": "13", "PS": "PostGraduate", "UG": "Ungraded", "OT": "Other",
}  # fmt: skip

USER_IDS = Option(
    "user_ids",
    default="plain",
    kind="choice",
    choices=("plain", "kinded"),
    meaning="How people are named: by their id alone, or all of them as kind and id (student-1001), where two people of different "
    "kinds share an id.",
)

SCHOOL_YEAR_BEGINS = Option(
    "school_year_begins", default="7", kind="whole", minimum=1, meaning="The month in which a school year begins."
)
