"""Rules of OneRoster about ids, organizations and academic sessions: what its files require and rosters may lack."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.exports.arrays import (
    Array,
    Mask,
    choose,
    column,
    constant,
    each_distinct,
    equals,
    first_marks,
    is_in,
    lookup,
    mask,
    nulls,
    present,
)
from roster_etl.exports.cells import local_midnight_of
from roster_etl.exports.days import round_days
from roster_etl.exports.export_tables import ExportTables
from roster_etl.exports.rules.people import IdClash
from roster_etl.exports.rules.schools import is_school
from roster_etl.frames.timestamps import INSTANT

ID_PATTERN = r"^[0-9A-Za-z._/@-]{1,255}$"
_IDS = (
    ("organizations", "organization_id"),
    ("terms", "term_id"),
    ("courses", "course_id"),
    ("sections", "section_id"),
    ("users", "user_id"),
)
ORG_TYPES = ("school", "district", "department", "local", "state", "national")
TERM_TYPES = ("schoolYear", "semester", "term", "gradingPeriod")


def plain_ids(work: ExportTables) -> None:
    """Write derived ids with ``-`` for ``:``, and leave out records whose id the format does not allow."""
    for table, name in _IDS:
        derived = pa.array(work.is_derived(table, name))
        ids = work.col(table, name)
        said = pc.if_else(derived, pc.replace_substring(ids, pattern=":", replacement="-"), ids)
        work.rename_ids(table, ids, said, "id_not_allowed")
    for table, name in _IDS:
        allowed = mask(pc.match_substring_regex(work.col(table, name), pattern=ID_PATTERN))
        work.keep(table, allowed, "id_not_allowed")
    work.cascade()


def made_ids(given: Array, *parts: Array) -> Array:
    """Return the ids of records: those that the source gave and the format allows, else their `parts` with dots between.

    Where that is no id, or another record's, the id is a hash of the parts.
    """
    allowed = mask(pc.match_substring_regex(given, pattern=ID_PATTERN))
    made = pc.replace_substring(pc.binary_join_element_wise(*parts, "."), pattern=":", replacement="-")
    ids = pc.coalesce(choose(allowed, given, nulls(len(given))), made)
    wrong = present(ids) & ~(allowed | mask(pc.match_substring_regex(ids, pattern=ID_PATTERN)))
    if allowed.any() or any(pc.any(pc.match_substring(part, ".")).as_py() for part in parts):
        wrong |= ~first_marks(ids)
    if not wrong.any():
        return ids
    whole = choose(wrong, pc.binary_join_element_wise(*parts, "\x1f"), nulls(len(ids)))
    return pc.coalesce(each_distinct(whole, lambda text: sha256(text.encode()).hexdigest()[:32]), ids)


def is_version(work: ExportTables, version: str) -> bool:
    """Return whether this version of the format is written."""
    return bool(work.options["oneroster_version"] == version)


def organization_types(work: ExportTables) -> None:
    """Say offices as departments, and accounts as schools or departments (option ``account_type``)."""
    types = work.col("organizations", "type")
    work.change(
        "organizations", "type", choose(equals(types, "office"), constant("department", len(types)), types), "coarser_code"
    )
    accounts, schools = equals(types, "account"), is_school(work)
    word = work.options.get("account_type")
    said = choose(schools, constant(word or "school", len(types)), constant(word or "department", len(types)))
    _made_up(work, "organizations", "type", choose(accounts, said, work.col("organizations", "type")))
    types = work.col("organizations", "type")
    known = equals(types, *ORG_TYPES)
    if is_version(work, "1.2"):
        known |= mask(pc.starts_with(types, "ext:"))
    work.change("organizations", "type", choose(known, types, constant("school", len(types))), "coarser_code")
    work.fill("organizations", "name", work.col("organizations", "organization_id"))
    work.fill("organizations", "number", work.col("organizations", "state_id"))


def district_organization(work: ExportTables) -> None:
    """Make an organization for the district if there is none; what has no parent or no organization belongs to it."""
    rows = work.table("organizations")
    district = equals(column(rows, "type"), "district")
    if district.any():
        root = column(rows, "organization_id").filter(pa.array(district))[0].as_py()
    else:
        root = work.district_id
        if root in set(column(rows, "organization_id").to_pylist()):
            raise IdClash(count=1, format="OneRoster")
        work.add_row("organizations", {"organization_id": root, "type": "district", "name": work.district_name})
        work.losses.add("value_made_up", "synthetic", 1, table="organizations")
        parents = work.col("organizations", "parent_organization_id")
        top = ~present(parents) & ~equals(work.col("organizations", "organization_id"), root)
        _made_up(work, "organizations", "parent_organization_id", choose(top, constant(root, len(top)), parents))
    for table in ("courses", "user_roles"):
        places = work.col(table, "organization_id")
        _made_up(work, table, "organization_id", pc.coalesce(places, constant(root, len(places))))


def _made_up(work: ExportTables, table: str, name: str, values: Array) -> None:
    """Replace a column; each cell that differs is counted as made up, for the sake of a record that stands for the district."""
    before = work.col(table, name)
    differs = int(pc.sum(pc.fill_null(pc.not_equal(before, values), True)).as_py() or 0) if len(before) else 0
    both_null = int((~present(before) & ~present(values)).sum())
    work.losses.add("value_made_up", "synthetic", differs - both_null, table=table, column=name)
    work.change(table, name, values, "synthetic", count=False)


def _begin_month(work: ExportTables) -> int:
    return int(work.options["school_year_begins"])


def school_year(work: ExportTables, day: date) -> int:
    """Return the year in which the school year of a day ends."""
    return day.year + (1 if day.month >= _begin_month(work) > 1 else 0)


def session_years(work: ExportTables) -> None:
    """Give sessions a type, both dates, a school year and a title, as the file requires them."""
    size = work.table("terms").num_rows
    types = work.col("terms", "type")
    known = equals(types, *TERM_TYPES)
    if is_version(work, "1.2"):
        known |= mask(pc.starts_with(types, "ext:"))
    work.change("terms", "type", choose(known, types, constant("term", size)), "coarser_code")
    for name, up in (("start_at", False), ("end_at", True)):
        work.change("terms", name, round_days(work.col("terms", name), work.zone, up=up), "time_of_day")
    _fill_dates(work)
    last = work.col("terms", "end_at")
    years = each_distinct(last, lambda at: school_year(work, _last_day(at, work.zone)), pa.int64())
    work.fill("terms", "school_year", years)
    work.fill("terms", "name", _day_range(work))


def _fill_dates(work: ExportTables) -> None:
    starts, ends = work.col("terms", "start_at").to_pylist(), work.col("terms", "end_at").to_pylist()
    made = [_dates(work, start, end) for start, end in zip(starts, ends, strict=True)]
    work.fill("terms", "start_at", pa.array([start for start, _ in made], INSTANT))
    work.fill("terms", "end_at", pa.array([end for _, end in made], INSTANT))


def _dates(work: ExportTables, start: datetime | None, end: datetime | None) -> tuple[datetime, datetime]:
    """Return both dates of a session: what is missing is that of the school year."""
    if start and end:
        return start, end
    known = _last_day(end, work.zone) if end else local_midnight_of(start or work.moment, work.zone)[0]
    first, last = school_year_dates(work, school_year(work, known))
    return start or first, end or last


def school_year_dates(work: ExportTables, year: int) -> tuple[datetime, datetime]:
    """Return when the school year begins that ends in `year`, and when it has ended."""
    month, tz = _begin_month(work), ZoneInfo(work.zone)
    first = year - 1 if month > 1 else year
    begin, end = (datetime.combine(date(y, month, 1), time(), tz).astimezone(UTC) for y in (first, first + 1))
    return begin, end


def _last_day(end: datetime, zone: str) -> date:
    day, begins = local_midnight_of(end, zone)
    return day - timedelta(days=1) if begins else day


def _day_range(work: ExportTables) -> Array:
    first = each_distinct(work.col("terms", "start_at"), lambda at: f"{local_midnight_of(at, work.zone)[0]:%Y-%m-%d}")
    last = each_distinct(work.col("terms", "end_at"), lambda at: f"{_last_day(at, work.zone):%Y-%m-%d}")
    return pc.binary_join_element_wise(first, last, " to ")


def sections_have_terms(work: ExportTables) -> None:
    """Give a section without a term that of its course, else one made for the school year of the moment."""
    courses = work.col("courses", "course_id")
    work.fill("sections", "term_id", lookup(work.col("sections", "course_id"), courses, work.col("courses", "term_id")))
    listed = is_in(work.col("sections", "section_id"), work.col("section_terms", "section_id"))
    without = ~present(work.col("sections", "term_id")) & ~listed
    if without.any():
        made = _add_school_year(work)
        size = len(without)
        _made_up(work, "sections", "term_id", choose(without, constant(made, size), work.col("sections", "term_id")))
    _list_terms(work)


def _add_school_year(work: ExportTables) -> str:
    year = school_year(work, local_midnight_of(work.moment, work.zone)[0])
    term_id = f"sy-{year}"
    if term_id in set(work.col("terms", "term_id").to_pylist()):
        return term_id
    start, end = school_year_dates(work, year)
    made = {
        "term_id": term_id,
        "name": f"{year - 1}-{year}",
        "type": "schoolYear",
        "school_year": year,
        "start_at": start,
        "end_at": end,
    }
    work.add_row("terms", made)
    work.losses.add("value_made_up", "synthetic", 1, table="terms")
    return term_id


def _list_terms(work: ExportTables) -> None:
    """Say the term of every section in the list of its terms, too."""
    sections = work.table("sections")
    missing = present(column(sections, "term_id")) & ~is_in(
        column(sections, "section_id"), work.col("section_terms", "section_id")
    )
    chosen = sections.filter(pa.array(missing))
    made = {
        "section_id": column(chosen, "section_id"),
        "term_id": column(chosen, "term_id"),
        "position": pa.array(np.ones(chosen.num_rows, dtype=np.int64)),
    }
    work.add_rows("section_terms", made, chosen.num_rows)
    work.losses.add("value_made_up", "missing_required", chosen.num_rows, table="section_terms")


def course_sessions(work: ExportTables) -> None:
    """Say the term of a course only if it is a school year; the others have no home."""
    term = work.col("courses", "term_id")
    years = work.col("terms", "term_id").filter(pa.array(equals(work.col("terms", "type"), "schoolYear")))
    lost = present(term) & ~is_in(term, years)
    drop_cells(work, "courses", "term_id", lost)


def drop_cells(work: ExportTables, table: str, name: str, where: Mask) -> None:
    """Empty cells that the format cannot say, and count them as left out."""
    work.losses.add("column_left_out", "no_home", int(where.sum()), table=table, column=name)
    values = work.col(table, name)
    work.change(table, name, choose(where, nulls(len(values), values.type), values), "no_home", count=False)
