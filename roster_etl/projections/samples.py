"""Generate synthetic uploads: rows from a vendor's sample module, all other cells from the spec.

For a vendor without such a module, rows are made from the specs alone. All randomness comes from the seed.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from random import Random
from types import ModuleType

from roster_etl.spec import (
    Choice,
    Column,
    Date,
    DateTime,
    Decimal,
    Digits,
    Email,
    File,
    NotBefore,
    Phone,
    RequireAnyOf,
    RequiredTogether,
    Status,
    Text,
    WholeNumber,
)
from roster_etl.spec.errors import PermanentError
from roster_etl.spec.sample_types import Row, Rows, SampleChange
from roster_etl.vendors import Vendor

SAMPLE_WORDS = ("Amber", "Birch", "Cedar", "Delta", "Ember", "Fern", "Grove", "Harbor")
SHARE_LEFT_BLANK = 0.25
PASSWORD = "not-a-real-password"  # noqa: S105 - sample cell of a column that is never read


class NoNextDay(PermanentError):
    """The vendor's sample module has no next day."""

    code = "no_next_day"
    template = "format {format} has no sample of a next day"


def write_sample(vendor: Vendor, folder: Path, *, students: int, seed: int) -> tuple[Path, ...]:
    """Write a valid upload of about `students` students into `folder`; return its files in the format's order."""
    random = Random(seed)  # noqa: S311 - no secret depends on it
    facts = _facts(vendor)
    rows = facts.district(students, random) if facts else _plain_rows(vendor, students)
    return _write(vendor, folder, _fill_rows(vendor, rows, random))


def write_next_day(vendor: Vendor, folder_from: Path, folder_to: Path, *, seed: int) -> tuple[SampleChange, ...]:
    """Write the upload of the day after `folder_from` into `folder_to`, with some invalid rows, and return the changes.

    Raises: NoNextDay.
    """
    random = Random(seed)  # noqa: S311 - no secret depends on it
    facts = _facts(vendor)
    if facts is None or not hasattr(facts, "next_day"):
        raise NoNextDay(format=vendor.format.name)
    rows, changes = facts.next_day(_read(vendor, folder_from), random)
    _write(vendor, folder_to, _fill_rows(vendor, rows, random))
    return tuple(changes)


def _facts(vendor: Vendor) -> ModuleType | None:
    name = f"{vendor.package}.sample"
    return import_module(name) if find_spec(name) else None


def _plain_rows(vendor: Vendor, students: int) -> Rows:
    return {file.name: [{} for _ in range(max(1, students))] for file in vendor.format.files if not file.deprecated}


def _read(vendor: Vendor, folder: Path) -> Rows:
    rows: Rows = {}
    for file in vendor.format.files:
        path = folder / file.file_name
        if path.exists():
            with path.open(encoding="utf-8", newline="") as text:
                rows[file.name] = list(csv.DictReader(text, strict=True))
    return rows


def _fill_rows(vendor: Vendor, rows: Rows, random: Random) -> Rows:
    """Return `rows` with all cells filled: references to rows of earlier files, numbered keys and unique values."""
    done: Rows = {}
    for file in vendor.format.files:
        if file.name in rows:
            done[file.name] = list(_fill_file(file, rows[file.name], done, random))
    return done


def _fill_file(file: File, rows: list[Row], done: Rows, random: Random) -> Iterator[Row]:
    targets = {
        column.name: [row[column.references.column] for row in done[column.references.file]]
        for column in file.columns
        if column.references
    }
    once = {column.name for column in file.columns if column.name not in (file.repeats.columns if file.repeats else ())}
    records: dict[tuple[str, ...], Row] = {}
    for number, given in enumerate(rows, start=1):
        known = records.get(tuple(given.get(name, "") for name in file.key), {})
        cells = {name: cell for name, cell in known.items() if name in once} | given
        row = {
            column.name: cells[column.name] if column.name in cells else _cell(file, column, number, targets, random)
            for column in file.columns
        } | given
        for rule in file.rules:
            if isinstance(rule, NotBefore) and rule.column not in given:
                row[rule.column] = row[rule.other]
        records[tuple(row[name] for name in file.key)] = row
        yield row


def _cell(file: File, column: Column, number: int, targets: dict[str, list[str]], random: Random) -> str:
    if column.secret:
        return PASSWORD
    if column.references:
        return random.choice(targets[column.name])
    if column.name in file.key or column.unique:
        return _sequential_value(file, column, number)
    grouped = any(isinstance(rule, RequiredTogether | RequireAnyOf) and column.name in rule.columns for rule in file.rules)
    if not (column.required or grouped) and random.random() < SHARE_LEFT_BLANK:
        return ""
    return _value(column, random)


def _sequential_value(file: File, column: Column, number: int) -> str:
    match column.cell_format:
        case Email():
            return f"s{number}@sample.example.org"
        case Digits():
            return f"{number:06d}"
        case _:
            return f"{file.name}-{number:05d}"


def _value(column: Column, random: Random) -> str:
    match column.cell_format:
        case Choice(options=options):
            value = random.choice(options)
        case Status(options=options):
            value = options[0]  # the usual one; the first upload of a day deletes nobody
        case Digits():
            value = str(random.randint(1, 999_999))
        case DateTime():
            value = f"2026-{random.randint(1, 12):02d}-{random.randint(1, 28):02d}T00:00:00Z"
        case WholeNumber(minimum=minimum, maximum=maximum):
            value = str(random.randint(minimum, maximum))
        case Decimal():
            value = f"{random.uniform(0, 4):.2f}"
        case Date(pattern=pattern):
            value = _date_text(pattern, month=random.randint(1, 12), day=random.randint(1, 28))
        case Phone(lengths=lengths):
            value = str(random.randint(2, 9)).ljust(min(lengths), "5")
        case Text(max_length=limit):
            value = f"{random.choice(SAMPLE_WORDS)} {random.randint(1, 999)}"[:limit]
        case _:
            value = f"{random.choice(SAMPLE_WORDS).lower()}{random.randint(1, 99999)}@sample.example.org"
    return value


def _date_text(pattern: str, *, month: int, day: int) -> str:
    return pattern.replace("YYYY", "2026").replace("YY", "26").replace("MM", f"{month:02d}").replace("DD", f"{day:02d}")


def _write(vendor: Vendor, folder: Path, rows: Rows) -> tuple[Path, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for file in vendor.format.files:
        if file.name in rows:
            path = folder / file.file_name
            with path.open("w", encoding="utf-8", newline="") as text:
                writer = csv.DictWriter(text, _header(rows[file.name]), restval="")
                writer.writeheader()
                writer.writerows(rows[file.name])
            paths.append(path)
    return tuple(paths)


def _header(rows: list[Row]) -> list[str]:
    """Return all columns of the rows: the declared ones first, then further ones in order of appearance."""
    return list(dict.fromkeys(name for row in rows for name in row))
