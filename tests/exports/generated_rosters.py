"""Rosters made up at random: what any feed may have published, with gaps, odd dates, several roles and schools, and derived ids.

Belongs here: the tables. Does not belong here: what an export makes of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pyarrow as pa

from roster_etl.canonical.roster import TABLES

Row = dict[str, Any]
START = datetime(2026, 8, 17, 5, tzinfo=UTC)  # midnight in Chicago
ZONE = "America/Chicago"
RELATIONSHIPS = ("Mother", "Father", "Grandmother", "Guardian", "Neighbor", None)
ROLES = ("staff", "tech_lead", "admin", "counselor", "parent")
ENROLLED = ("student", "student", "student", "teacher", "teacher", "ta", "designer", "observer")


def generated_roster(random: Random) -> dict[str, pa.Table]:
    """Return the tables of a roster in which each reference has its record."""
    rows: dict[str, list[Row]] = {name: [] for name in TABLES}
    schools = _places(random, rows)
    users = _people(random, rows, schools)
    sections = _classes(random, rows, schools)
    _enrollments(random, rows, users, sections)
    _contacts(random, rows, users)
    return {name: _table(name, found) for name, found in rows.items()}


def _table(name: str, rows: Sequence[Row]) -> pa.Table:
    schema = pa.schema([*TABLES[name].arrow_schema, ("derived", pa.string()), ("extensions", pa.string())])
    unique = {tuple(row.get(column) for column in TABLES[name].key): row for row in rows}
    ordered = sorted(unique.values(), key=lambda row: [str(row.get(column)) for column in TABLES[name].key])
    return pa.Table.from_pylist(ordered, schema=schema)


def _maybe(random: Random, value: Any, share: float = 0.7) -> Any:
    return value if random.random() < share else None


def _places(random: Random, rows: dict[str, list[Row]]) -> list[str]:
    kind = random.choice(["school", "account"])
    district = _maybe(random, "d-1", 0.4)
    if district:
        rows["organizations"].append({"organization_id": district, "type": "district", "name": "District"})
    schools = [f"{number:03}" for number in range(random.randint(1, 3))]
    for school in schools:
        rows["organizations"].append(
            {
                "organization_id": school,
                "type": kind,
                "name": f"School {school}",
                "number": _maybe(random, school.strip("0") or "9"),
                "state_id": _maybe(random, f"9{school}"),
                "parent_organization_id": _maybe(random, district),
            }
        )
    return schools


def _people(random: Random, rows: dict[str, list[Row]], schools: Sequence[str]) -> list[tuple[str, str]]:
    users = []
    for number in range(random.randint(1, 12)):
        kind = random.choice(["student", "student", "teacher", "user"])
        key = (kind, str(1000 + number))
        users.append(key)
        first, last = random.choice(["Ana", "Bo", "Chloé"]), random.choice(["Ames", "de la Cruz", '=Quo"te', "Li, Jr."])
        rows["users"].append(
            {
                "user_kind": kind,
                "user_id": key[1],
                "first_name": _maybe(random, first, 0.95),
                "last_name": _maybe(random, last, 0.95),
                "full_name": f"{first} {last}",
                "email": _maybe(random, f"u{number}@example.org"),
                "username": _maybe(random, f"user{number}"),
                "number": _maybe(random, str(number)),
                "state_id": _maybe(random, f"77{number}"),
                "phone": _maybe(random, "555-0100"),
                "status": random.choice(["active", "active", "active", "suspended", None]),
            }
        )
        _roles(random, rows, key, schools)
        if kind == "student":
            _profile(random, rows, key)
    return users


def _roles(random: Random, rows: dict[str, list[Row]], key: tuple[str, str], schools: Sequence[str]) -> None:
    own = key[0] if key[0] != "user" else random.choice(ROLES)
    for school in random.sample(list(schools), random.randint(0, len(schools))):
        role = own if random.random() < 0.9 else random.choice(ROLES)
        rows["user_roles"].append(
            {
                "user_kind": key[0],
                "user_id": key[1],
                "organization_id": school,
                "role": role,
                "is_primary": random.choice([True, False, None]),
                "title": _maybe(random, "Coach", 0.2),
            }
        )


def _profile(random: Random, rows: dict[str, list[Row]], key: tuple[str, str]) -> None:
    rows["student_profiles"].append(
        {
            "user_kind": key[0],
            "user_id": key[1],
            "grade": _maybe(random, random.choice(["KG", "01", "09", "12", "UG", "OT"])),
            "gender": _maybe(random, random.choice("MFX")),
            "birth_date": _maybe(random, date(2012, 2, 29)),
            "race": _maybe(random, random.choice("WBAM")),
            "hispanic": random.choice([True, False, None]),
            "ell": random.choice([True, False, None]),
            "zip": _maybe(random, "01234", 0.3),
        }
    )


def _classes(random: Random, rows: dict[str, list[Row]], schools: Sequence[str]) -> list[Row]:
    terms: list[str] = []
    for number in range(random.randint(0, 2)):
        name, term = f"Term {number}", random.choice([f"t{number}", f"term:{number}abc"])
        start = START + timedelta(days=100 * number, hours=random.choice([0, 0, 13]))
        derived = json.dumps(["term_id"]) if ":" in term else None
        rows["terms"].append(
            {
                "term_id": term,
                "name": _maybe(random, name),
                "start_at": _maybe(random, start, 0.9),
                "end_at": _maybe(random, START + timedelta(days=90 + 100 * number)),
                "derived": derived,
            }
        )
        terms.append(term)
    courses = []
    for number in range(random.randint(1, 3)):
        course: Row = {
            "course_id": f"c{number}",
            "name": _maybe(random, f"Course {number}"),
            "short_name": _maybe(random, f"C{number}", 0.4),
            "number": _maybe(random, f"{100 + number}", 0.5),
            "organization_id": _maybe(random, random.choice(schools)),
            "term_id": _maybe(random, random.choice(terms), 0.4) if terms else None,
            "status": "active",
        }
        courses.append(course)
    rows["courses"] += courses
    sections = [
        {
            "section_id": f"s{number}",
            "course_id": (course := random.choice(courses))["course_id"],
            "home_course_id": course["course_id"],
            "organization_id": _maybe(random, random.choice(schools)),
            "term_id": _maybe(random, random.choice(terms)) if terms else None,
            "name": _maybe(random, f"Section {number}"),
            "number": _maybe(random, str(number), 0.5),
            "period": _maybe(random, random.choice(["1", "2", "A, B"]), 0.6),
            "grade": _maybe(random, random.choice(["09", "KG"]), 0.4),
            "subject": _maybe(random, random.choice(["Math", "science", "Arts, fine"]), 0.4),
        }
        for number in range(random.randint(0, 4))
    ]
    rows["sections"] += sections
    return sections


def _enrollments(random: Random, rows: dict[str, list[Row]], users: Sequence[tuple[str, str]], sections: Sequence[Row]) -> None:
    for _ in range(random.randint(0, 25) if sections else 0):
        (kind, user), section = random.choice(users), random.choice(sections)
        role = random.choice(ENROLLED) if kind == "user" or random.random() < 0.1 else kind
        school = section["organization_id"] or next(
            row["organization_id"] for row in rows["courses"] if row["course_id"] == section["course_id"]
        )
        rows["enrollments"].append(
            {
                "user_kind": kind,
                "user_id": user,
                "section_id": section["section_id"],
                "course_id": section["course_id"],
                "organization_id": _maybe(random, school, 0.9),
                "role": role,
                "status": random.choice(["active", "active", "active", "completed", "inactive"]),
                "is_primary": random.choice([True, False, None]) if role == "teacher" else None,
            }
        )


def _contacts(random: Random, rows: dict[str, list[Row]], users: Sequence[tuple[str, str]]) -> None:
    for kind, user in users:
        if kind != "student":
            continue
        for place in range(random.randint(0, 3)):
            given = random.random() < 0.5
            rows["contacts"].append(
                {
                    "user_kind": kind,
                    "user_id": user,
                    "contact_id": f"p{random.randint(1, 4)}" if given else f"contact:{place}",
                    "name": random.choice(["Pat Doe", "Sam", None]),
                    "relationship": random.choice(RELATIONSHIPS),
                    "email": _maybe(random, f"p{place}@example.org"),
                    "phone": _maybe(random, "555-0123"),
                    "position": place + 1,
                    "derived": None if given else json.dumps(["contact_id"]),
                }
            )


def plain_rows(tables: Mapping[str, pa.Table]) -> dict[str, list[Row]]:
    """Return the business columns and the extra ones of each table."""
    return {name: table.select([*TABLES[name].names, "extensions"]).to_pylist() for name, table in tables.items()}
