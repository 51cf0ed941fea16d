"""Clever's code lists, and the canonical code of each value. Keys are compared without regard to case.

Source: the "Format" and "Notes" columns of the document's tables.
"""

from roster_etl.canonical.codes import GRADE_ALIASES

GRADES = GRADE_ALIASES  # "an integer (1-13)" may have its leading zero
GRADE_OPTIONS = (*GRADES,)

GENDERS = {"M": "M", "F": "F", "X": "X"}
RACES = {"A": "A", "B": "B", "I": "I", "M": "M", "P": "P", "W": "W"}
LUNCHES = {"F": "F", "R": "R", "N": "N"}
FLAGS = {"Y": True, "N": False}
PHONE_TYPES = {"Cell": "Cell", "Home": "Home", "Work": "Work"}

SUBJECTS = {
    "English/language arts": "English/language arts",
    "Math": "Math",
    "Science": "Science",
    "Social studies": "Social studies",
    "Language": "Language",
    "Homeroom/advisory": "Homeroom/advisory",
    "Interventions/online learning": "Interventions/online learning",
    "Technology and engineering": "Technology and engineering",
    "PE and health": "PE and health",
    "Arts and music": "Arts and music",
    "other": "other",
}
SUBJECT_OPTIONS = (*SUBJECTS,)

# "Clever will assign a subject based on the name of the section", by unpublished rules. Ours: whole words and phrases in lower
# case; the first line with a keyword that occurs in the name wins, so phrases come before the words that they contain.
SUBJECT_KEYWORDS = (
    ("Homeroom/advisory", (
        "homeroom", "home room", "advisory", "advisement", "hr", "study hall",
    )),
    ("Interventions/online learning", (
        "intervention", "interventions", "rti", "mtss", "win time", "credit recovery", "online learning", "virtual learning",
        "tutoring", "tutorial", "remedial", "resource room", "learning lab", "read 180", "math 180",
    )),
    ("other", (
        "consumer science", "consumer sciences", "culinary arts", "student aide", "work experience",
    )),
    ("English/language arts", (
        "language arts", "english language arts", "ela", "language and composition", "language and literature",
    )),
    ("Technology and engineering", (
        "computer science", "computer sciences", "data science", "computer", "computers", "computing", "programming",
        "coding", "robotics", "robots", "engineering", "technology", "tech ed", "keyboarding", "web design", "game design",
        "technical drawing", "drafting", "cad", "cybersecurity", "woodworking", "electronics",
    )),
    ("Social studies", (
        "social studies", "social science", "social sciences", "political science", "latin american", "american studies",
    )),
    ("Arts and music", (
        "art", "arts", "art history", "music", "band", "orchestra", "choir", "chorus", "jazz", "guitar", "piano",
        "percussion", "strings", "drama", "theater", "theatre", "dance", "drawing", "painting", "ceramics", "sculpture",
        "photography", "graphic design", "visual arts",
    )),
    ("PE and health", (
        "pe", "p e", "physical education", "phys ed", "health", "wellness", "fitness", "gym", "weight training",
        "weightlifting", "yoga", "sports", "athletics", "nutrition",
    )),
    ("Math", (
        "math", "maths", "mathematics", "algebra", "prealgebra", "geometry", "trigonometry", "precalculus", "calculus",
        "calc", "statistics", "probability", "arithmetic", "quantitative reasoning",
    )),
    ("Language", (
        "spanish", "french", "german", "latin", "mandarin", "chinese", "japanese", "korean", "italian", "russian", "arabic",
        "portuguese", "hebrew", "hindi", "american sign language", "asl", "world language", "world languages",
        "foreign language", "foreign languages", "language", "languages", "esl", "eld", "ell", "esol",
    )),
    ("Science", (
        "science", "sciences", "biology", "bio", "chemistry", "chem", "physics", "anatomy", "physiology", "astronomy",
        "geology", "ecology", "zoology", "botany", "genetics", "oceanography", "meteorology", "forensics",
    )),
    ("Social studies", (
        "history", "geography", "government", "gov", "civics", "economics", "econ", "psychology", "sociology", "anthropology",
        "world cultures", "ethnic studies", "current events", "humanities", "politics",
    )),
    ("English/language arts", (
        "english", "reading", "writing", "literature", "lit", "literacy", "composition", "grammar", "spelling", "phonics",
        "journalism", "poetry", "speech", "debate", "yearbook", "newspaper",
    )),
)  # fmt: skip
SUBJECT_OTHERWISE = "other"

TECH_LEAD_ROLES = ("School Tech Lead", "SchoolTechLead", "STL")  # staff.csv and admins.csv, Role

DISTRICT_OFFICE = "DEFAULT_DISTRICT_OFFICE"  # staff.csv, School_id: an office of the district
DISTRICT_OFFICE_NAME = "Default District Office"
EVERY_SCHOOL = "district"  # staff.csv, School_id: all schools of the district
