"""The code lists of the document, and the canonical code of each value. Literals only."""

ROLE_OPTIONS = ("student", "teacher")
ROLES = {"student": "student", "teacher": "teacher"}
