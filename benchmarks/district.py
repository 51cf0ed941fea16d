"""A district whose roster changes from night to night, with damaged rows that differ from night to night.

Belongs here: the next night's files from the last one's. Does not belong here: importing them. The reference's generator makes one day and
the next; here every night has edits, students who leave and join, and damage of its own.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

Row = dict[str, str]
CLEVER_DAMAGE = {
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
CANVAS_DAMAGE = {
    "users.csv": (("login_id", ""), ("status", "unknown"), ("user_id", "")),
    "enrollments.csv": (("user_id", "99999999"), ("section_id", "S1"), ("role", "headmaster"), ("user_id", "")),
    "sections.csv": (("course_id", "C9"), ("name", "")),
}


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where a format has its students. ``edited``: a column that an edit changes, and a prefix of its new values.

    ``personal``: the columns in which a student who joins differs from the one that he or she is copied from; ``first``, ``born``: the
    columns of the first name, and of the date of birth, if there is one.
    """

    people: str
    id: str
    personal: tuple[str, ...]
    edited: str
    first: str
    born: str
    damaged: Mapping[str, tuple[tuple[str, str], ...]]

    def is_student(self, row: Row) -> bool:
        """Return whether a row of the file of people is a student's."""
        return row.get("declared_user_type", "student") == "student"


CLEVER = Layout(
    people="students.csv",
    id="Student_id",
    personal=("Student_id", "Student_number", "State_id", "Username", "Student_email"),
    edited="Student_zip",
    first="First_name",
    born="DOB",
    damaged=CLEVER_DAMAGE,
)
CANVAS = Layout(
    people="users.csv",
    id="user_id",
    personal=("user_id", "login_id", "email"),
    edited="short_name",
    first="first_name",
    born="",
    damaged=CANVAS_DAMAGE,
)


class ChangingDistrict:
    """The clean files of a district, which `next_night` changes."""

    def __init__(self, first_day: Path, seed: int = 4711) -> None:
        self._random = random.Random(seed)  # noqa: S311
        self._joined = 0
        self.files: dict[str, list[Row]] = {}
        self._layout = CANVAS if (first_day / CANVAS.people).exists() else CLEVER
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
        layout, enrollments = self._layout, "enrollments.csv"
        students = sorted({row[layout.id] for row in self.files[layout.people] if layout.is_student(row)})
        each = max(1, round(len(students) * churn / 3))
        edited, leaving, copied = (set(self._random.sample(students, each)) for _ in range(3))
        joined = [row for student in sorted(copied) for row in self._joining(student)]
        for name in (layout.people, enrollments):
            self.files[name] = [row for row in self.files[name] if row[layout.id] not in leaving]
        for row in self.files[layout.people]:
            if row[layout.id] in edited:
                row[layout.edited] = str(self._random.randrange(90001, 96162))
        for name, row in joined:
            self.files[name].append(row)

    def _joining(self, student: str) -> Iterator[tuple[str, Row]]:
        """Yield the rows of a new student, a sibling of `student` in the same classes."""
        self._joined += 1
        number = str(70_000_000 + self._joined)
        layout = self._layout
        first = self._random.choice(self.files[layout.people])[layout.first]
        born = f"{self._random.randrange(1, 13):02}/{self._random.randrange(1, 29):02}/2015"
        for name in (layout.people, "enrollments.csv"):
            for row in self.files[name]:
                if row[layout.id] == student:
                    own = {column: _renumbered(row[column], number) for column in layout.personal if column in row}
                    names = {layout.first: first} | ({layout.born: born} if layout.born else {})
                    yield name, {**row, **own, **(names if name == layout.people else {})}

    def _damaged(self, name: str, rows: list[Row], dirty: float) -> Iterator[Row]:
        for row in rows:
            if name in self._layout.damaged and self._random.random() < dirty:
                column, value = self._random.choice(self._layout.damaged[name])
                yield {**row, column: value}
            else:
                yield row


def _renumbered(value: str, number: str) -> str:
    return f"joined{number}@{value.partition('@')[2]}" if "@" in value else number if value else ""
