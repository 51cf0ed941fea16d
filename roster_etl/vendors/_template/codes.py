"""The code lists of the document, and what each code is in the canonical roster. Literals only."""

ROLE_OPTIONS = ("student", "teacher")
ROLES = {"student": "student", "teacher": "teacher"}

# (file, column) -> its table. Every option of these columns must be in the table.
RECODES = {("people", "role"): ROLES}
