"""The code lists of the document, and the canonical code of each value. Literals only."""

ROLE_OPTIONS = ("student", "teacher")
ROLES = {"student": "student", "teacher": "teacher"}

# (file, column) -> its table. Every option of these columns must be in the table.
RECODES = {("people", "role"): ROLES}
