"""Small uploads of a format whose files arrive in two sets: a roster at night, and absences by day. The people are invented.

Belongs here: what tests of several rooms need to see two rhythms in one landing zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.walking import lines

FORMAT = "catapult_connect"
ABSENCES = "AttendanceExport.csv"
HEADER = "School,Student,Period,Absence.code,Teacher.name,Date"
PERIODS = 2


def write_roster(folder: Path, students: int = 6, first_name: str = "Ana") -> Path:
    """Write the roster files: one school, one teacher, and students who have PERIODS classes each."""
    folder.mkdir(parents=True, exist_ok=True)
    staff = lines("ID,School,Name.First,Name.Last,Email,Title", f"t1,10,{first_name},Okafor,ana@example.org,Teacher")
    pupils = lines("ID,School,Name.First,Name.Last", *(f"s{n},10,Ben,Sato" for n in range(students)))
    classes = (f"10,t1,s{n},{period},Algebra,A{period},1" for n in range(students) for period in range(1, PERIODS + 1))
    taught = lines("School,Teacher,Student,Period,Name,Course_number,Section_number", *classes)
    for name, text in (("StaffExport", staff), ("StudentExport", pupils), ("StaffToStudentExport", taught)):
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def write_absences(folder: Path, rows: Sequence[str], header: str = HEADER) -> Path:
    """Write the absences, each a line of the file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ABSENCES).write_text(lines(header, *rows), encoding="utf-8")
    return folder


def absence(student: int, period: int = 1, code: str = "A", date: str = "09/01/26", teacher: str = "") -> str:
    """Return the line of one absence."""
    return f"10,s{student},{period},{code},{teacher},{date}"
