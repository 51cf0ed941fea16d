"""A district whose roster changes from night to night, with damaged rows that differ from night to night.

Belongs here: the next night's files from the last one's. Does not belong here: importing them. The reference's generator makes one day and
the next; here every night has edits, students who leave and join, and damage of its own.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from pathlib import Path

Row = dict[str, str]
DAMAGED = {
    "students.csv": (
        ("Grade", "14"),
        ("DOB", "02/30/2011"),
        ("School_id", "9999"),
        ("Student_id", ""),
        ("Contact_phone", "555-CALL"),
    ),
    "enrollments.csv": (("Student_id", "99999999"), ("Section_id", "S1"), ("School_id", "9999"), ("Student_id", "")),
    "teachers.csv": (("Last_name", ""), ("Teacher_email", "no-at-sign.example.org")),
    "sections.csv": (("Subject", "Maths"), ("Grade", "15"), ("Term_start", "13/45/2010")),
}
"""By file, cells that break a rule."""
PERSONAL = ("Student_id", "Student_number", "State_id", "Username", "Student_email")
"""The columns in which a student who joins differs from the one that he or she is copied from."""


class ChangingDistrict:
    """The clean files of a district, which `next_night` changes."""

    def __init__(self, first_day: Path, seed: int = 4711) -> None:
        self._random = random.Random(seed)  # noqa: S311
        self._joined = 0
        self.files: dict[str, list[Row]] = {}
        for path in sorted(first_day.glob("*.csv")):
            with path.open(encoding="utf-8", newline="") as file:
                self.files[path.name] = list(csv.DictReader(file))

    def write(self, folder: Path, dirty: float) -> Path:
        """Write the files as they are now, with a share of `dirty` damaged rows in each that has rules to break. Returns `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in self.files.items():
            with (folder / name).open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(self._damaged(name, rows, dirty))
        return folder

    def next_night(self, churn: float) -> None:
        """Edit a third of a share of `churn` of the students; as many leave, and as many join."""
        students = sorted({row["Student_id"] for row in self.files["students.csv"]})
        each = max(1, round(len(students) * churn / 3))
        edited, leaving, copied = (set(self._random.sample(students, each)) for _ in range(3))
        joined = [row for student in sorted(copied) for row in self._joining(student)]
        for name in ("students.csv", "enrollments.csv"):
            self.files[name] = [row for row in self.files[name] if row["Student_id"] not in leaving]
        for row in self.files["students.csv"]:
            if row["Student_id"] in edited:
                row["Student_zip"] = str(self._random.randrange(90001, 96162))
        for name, row in joined:
            self.files[name].append(row)

    def _joining(self, student: str) -> Iterator[tuple[str, Row]]:
        """Yield the rows of a new student, a sibling of `student` in the same classes."""
        self._joined += 1
        number = str(70_000_000 + self._joined)
        first = self._random.choice(self.files["students.csv"])["First_name"]
        born = f"{self._random.randrange(1, 13):02}/{self._random.randrange(1, 29):02}/2015"
        for name in ("students.csv", "enrollments.csv"):
            for row in self.files[name]:
                if row["Student_id"] == student:
                    own = {column: _renumbered(row[column], number) for column in PERSONAL if column in row}
                    yield name, {**row, **own, **({"First_name": first, "DOB": born} if "DOB" in row else {})}

    def _damaged(self, name: str, rows: list[Row], dirty: float) -> Iterator[Row]:
        for row in rows:
            if name in DAMAGED and self._random.random() < dirty:
                column, value = self._random.choice(DAMAGED[name])
                yield {**row, column: value}
            else:
                yield row


def _renumbered(value: str, number: str) -> str:
    return f"joined{number}@{value.partition('@')[2]}" if "@" in value else number if value else ""
