"""What the sample districts of all vendors share: invented names, schools and classes, and the making of a next day.

Belongs here: what does not depend on a vendor's columns. The cells live in a vendor's ``sample`` module, the writing in
``projections.samples``. The names and ids are hard on purpose: importers lose ``Null``, ``NA``, ``007`` and ``1E5``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import Generic, NamedTuple, TypeVar

from roster_etl.spec.sample_types import Kind, Row, Rows, SampleChange

FIRST_NAMES = (
    "Ana", "Ben", "Chloé", "Dana", "Emil", "Fatima", "Grace", "Hiro", "Imani", "José", "Kofi", "Lucía", "Mei", "NA", "Olu", "Priya",
    "Quinn", "Rosa", "Søren", "Thảo", "Uma", "Viktor", "伟", "Ximena", "Yusuf", "Zoë", "D'Andre", "Mary-Kate",
)  # fmt: skip
LAST_NAMES = (
    "O'Brien", "Null", "李", "Nguyễn", "García Márquez", "Okafor", "None", "Smith-Jones", "Müller", "Sato", "True", "Peña", "van der Berg",
    "Test", "Johansson", "Haddad", "St. James", "Ivanova", "Kowalski", "N'Diaye", "Ferrari", "Silva", "Cohen", "Brown",
)  # fmt: skip
DOMAIN = "sample.example.org"
CLASS_SIZE = 24
STUDENTS_A_SCHOOL = 400

Course = TypeVar("Course")
Item = TypeVar("Item")


class Level(NamedTuple, Generic[Course]):
    """A kind of school: its grades as the format writes them, and its courses."""

    kind: str
    grades: tuple[str, ...]
    courses: tuple[Course, ...]


def cycled(items: Sequence[Item], n: int) -> Item:
    """Return item `n` of `items`, which begin again after the last one."""
    return items[n % len(items)]


def count_schools(students: int, levels: Sequence[Level[Course]]) -> int:
    """Return how many schools `students` students have: at least one of each level."""
    return max(len(levels), round(students / STUDENTS_A_SCHOOL))


def places_of(schools: Iterable[Item], levels: Sequence[Level[Course]]) -> list[tuple[Item, str]]:
    """Return each of `schools`, whose levels take turns, with each of its grades."""
    return [(school, grade) for n, school in enumerate(schools) for grade in cycled(levels, n).grades]


def school_name(n: int, names: Sequence[str], kind: str) -> str:
    """Return the name of school `n`, which carries its number once `names` are used up."""
    return f"{cycled(names, n)} {kind}{f' {n}' if n >= len(names) else ''}"


def student_name(
    n: int, random: Random, first_names: Sequence[str] = FIRST_NAMES, last_names: Sequence[str] = LAST_NAMES
) -> tuple[str, str]:
    """Return first and last name of student `n`: every name comes up once, and then at random."""
    first = first_names[n] if n < len(first_names) else random.choice(first_names)
    return first, last_names[n] if n < len(last_names) else random.choice(last_names)


def student_id(n: int, prefix: str = "") -> str:
    """Return the id of student `n`; those of the first ones look like numbers, and are text."""
    return ("007", "7", "1E5")[n] if n < 3 else f"{prefix}{998 + n}"


def classes(level: Level[Course], pupils: Sequence[Row], grade_column: str) -> Iterator[tuple[str, int, list[Row]]]:
    """Yield the classes of a school: grade, number within the grade (from 1), and its pupils."""
    for grade in level.grades:
        of_grade = [pupil for pupil in pupils if pupil[grade_column] == grade]
        for group, first in enumerate(range(0, len(of_grade), CLASS_SIZE), start=1):
            yield grade, group, of_grade[first : first + CLASS_SIZE]


class NextDay:
    """The upload of the day after, made from a copy of ``rows``, and the list of what is different in it.

    ``few``: one in a hundred of the people with `ids`; of a handful nobody.
    """

    def __init__(self, rows: Rows, random: Random, ids: Iterable[str]) -> None:
        self.rows: Rows = {file: [dict(row) for row in of_file] for file, of_file in rows.items()}
        self.random = random
        self._ids = list(dict.fromkeys(ids))
        self.few = len(self._ids) // 100 or min(1, len(self._ids) // 10)
        self._changes: list[SampleChange] = []

    def choose(self, groups: int, *, spare: int) -> list[list[str]]:
        """Return the ids of `groups` lists of ``few`` people each, and of a last one with `spare` more; nobody is in two of them."""
        chosen = self.random.sample(self._ids, min(len(self._ids), groups * self.few + spare))
        return [*(chosen[n * self.few : (n + 1) * self.few] for n in range(groups)), chosen[groups * self.few :]]

    def note(self, kind: Kind, file: str, count: int, what: str) -> None:
        """Add to the list that `count` records of `file` are different."""
        self._changes.append(SampleChange(kind=kind, file=file, count=count, what=what))

    def remove(self, ids: Collection[str], columns: Mapping[str, str], what: str) -> None:
        """Remove the rows that name one of `ids`; `columns`: file → the column with the id, the people's own file first."""
        for file, column in columns.items():
            self.rows[file] = [row for row in self.rows[file] if row[column] not in ids]
        self.note("removed", next(iter(columns)), len(ids), what)

    def rename(self, ids: Collection[str], file: str, id_column: str, name_column: str, suffix: str = "-Rivera") -> None:
        """Add `suffix` to the last names of the people with `ids`."""
        for row in self.rows[file]:
            if row[id_column] in ids:
                row[name_column] += suffix
        self.note("updated", file, len(ids), "have a new last name")

    def set_cell(self, file: str, id_column: str, person: str, column: str, cell: str) -> None:
        """Put `cell` into `column` of every row of one person."""
        for row in self.rows[file]:
            if row[id_column] == person:
                row[column] = cell

    def note_arrivals(self, file: str, links: str, linked: str = "are of the new students") -> None:
        """Add to the list that ``few`` and one people of `file` are new, each with one row of `links`."""
        self.note("created", file, self.few + 1, "are new")
        self.note("created", links, self.few + 1, linked)

    def result(self) -> tuple[Rows, tuple[SampleChange, ...]]:
        """Return the rows, and the changes of at least one record."""
        return self.rows, tuple(change for change in self._changes if change.count)
