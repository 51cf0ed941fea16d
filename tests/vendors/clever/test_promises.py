"""Every sample passes, and every broken promise fails exactly its rule: one cell of a valid upload is broken at a time."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from roster_etl.engine.judge import Judged, JudgedFile
from roster_etl.mapping.frames import REFUSED, ROW
from roster_etl.projections.samples import write_sample
from roster_etl.spec import Choice, Column, Date, Decimal, Email, File, Phone, Text, Together, WholeNumber
from roster_etl.vendors.clever import FORMAT, VENDOR
from tests.walking import found, judge, judge_upload, map_upload, rows

Row = dict[str, str]
BROKEN = {Choice: "?", WholeNumber: "1e3", Decimal: "1,5", Date: "02/30/2020", Email: "nobody", Phone: "123", Text: "x" * 10_000}
CODES = {Date: "bad_date", Email: "invalid_email", Phone: "bad_phone", Text: "too_long"}
ADMINS = "School_id,Staff_id,Admin_email,First_name,Last_name,Admin_title,Username,Password,Role\n" + "".join(
    f"{{school}},a{n},a{n}@example.org,Ann,Adams,Boss,ann{n},x,STL\n" for n in (1, 2)
)


@cache
def _sample() -> dict[str, str]:
    with TemporaryDirectory() as folder:
        paths = write_sample(VENDOR, Path(folder), students=30, seed=11)
        texts = {path.stem: path.read_text(encoding="utf-8") for path in paths}
    school = next(csv.DictReader(io.StringIO(texts["schools"])))["School_id"]
    return {"admins": ADMINS.format(school=school)} | texts


@cache
def _others() -> dict[str, Judged]:
    return {name: Judged(frame=result.frame, file_name=f"{name}.csv") for name, result in judge_upload(VENDOR, _sample()).items()}


def _rows(file: File) -> list[Row]:
    return list(csv.DictReader(io.StringIO(_sample()[file.name])))


def _text(lines: list[Row]) -> str:
    header = list(dict.fromkeys(name for line in lines for name in line))
    out = io.StringIO()
    writer = csv.DictWriter(out, header, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()


def _judged(file: File, lines: list[Row]) -> JudgedFile:
    return judge(file, _text(lines), _others())


def _place(file: File, lines: list[Row]) -> int:
    """The last row whose record has no other row, with a contact if the file has them."""
    ids = [line[file.key[0]] for line in lines]
    needed = [name for rule in file.rules if isinstance(rule, Together) for name in rule.need]
    unique = [n for n, line in enumerate(lines) if ids.count(line[file.key[0]]) == 1 and all(line[name] for name in needed)]
    return unique[-1] if unique else len(lines) - 1


def _with(file: File, column: str, value: str) -> tuple[JudgedFile, int]:
    """Return the verdict on the sample with `value` in one row's `column`, and the row's number."""
    lines = _rows(file)
    place = _place(file, lines)
    lines[place] = {**lines[place], column: value}
    return _judged(file, lines), place + 2


def _group(file: File, column: str) -> Together | None:
    """The rule that empties a group of columns when `column` is empty."""
    return next((rule for rule in file.rules if isinstance(rule, Together) and column in rule.need), None)


def _assert_broken(result: JudgedFile, row: int, file: File, column: Column, code: str, value: str | None = None) -> None:
    """The one finding is `code` on this cell; a required column refuses the row, any other cell becomes `value`."""
    record = next(r for r in rows(result) if r[ROW] == row)
    others = [r for r in rows(result) if r[ROW] != row]
    expected = [("reject" if column.required else "warning", code, row, column.name)]
    group = _group(file, column.name)
    if group and code != "missing_required":
        expected.append(("warning", "missing_required", row, column.name))

    assert found(result) == expected
    assert record[REFUSED] is column.required
    assert column.required or record.get(column.name) == value
    assert not group or not set(group.columns) & set(record)
    assert [r for r in others if r[REFUSED]] == []


def _columns() -> Iterator[tuple[File, Column]]:
    for file in FORMAT.files:
        families = [family.column(n) for family in file.families for n in (family.first, family.last or family.first)]
        yield from ((file, column) for column in (*file.columns, *families) if not column.secret)


COLUMNS = list(_columns())
REQUIRED = [(file, column) for file, column in COLUMNS if column.required]
FORMED = [(file, column) for file, column in COLUMNS if column.form != Text()]
REFERRING = [(file, column) for file, column in COLUMNS if column.references]
UNIQUE = [(file, column) for file, column in COLUMNS if column.unique]
NEEDED = [(file, name) for file in FORMAT.files for rule in file.rules if isinstance(rule, Together) for name in rule.need]


def _id(value: object) -> str:
    return value.name if isinstance(value, File | Column) else str(value)


each = pytest.mark.parametrize


def test_a_sample_has_every_file_and_every_column() -> None:
    for file, column in COLUMNS:
        assert column.name in _rows(file)[0] or "{n}" in str(file.families), (file.name, column.name)


def test_every_sample_passes() -> None:
    results = judge_upload(VENDOR, _sample())

    assert {name: found(result) for name, result in results.items() if found(result)} == {}
    assert all(result.rows_accepted == result.rows_read > 0 for result in results.values())
    assert {name for name, made in map_upload(VENDOR, _sample()).items() if found(made) or made.collisions} == set()


@each(("file", "column"), REQUIRED, ids=_id)
def test_an_empty_required_cell_refuses_its_row(file: File, column: Column) -> None:
    result, row = _with(file, column.name, "")

    _assert_broken(result, row, file, column, "missing_required")


@each(("file", "column"), [(f, c) for f, c in COLUMNS if not c.required and not _group(f, c.name)], ids=_id)
def test_an_empty_optional_cell_is_fine(file: File, column: Column) -> None:
    result, _ = _with(file, column.name, "")

    assert found(result) == []
    assert result.rows_rejected == 0


@each(("file", "column"), FORMED, ids=_id)
def test_a_cell_of_another_form_is_broken(file: File, column: Column) -> None:
    result, row = _with(file, column.name, BROKEN[type(column.form)])

    _assert_broken(result, row, file, column, CODES.get(type(column.form), "bad_value"), getattr(column.form, "otherwise", None))


@each(("file", "column"), REFERRING, ids=_id)
def test_a_reference_to_nothing_is_broken(file: File, column: Column) -> None:
    result, row = _with(file, column.name, "no-such-id")

    _assert_broken(result, row, file, column, "unknown_reference")


@each(("file", "column"), UNIQUE, ids=_id)
def test_a_value_of_another_record_is_taken(file: File, column: Column) -> None:
    taken = next(line[column.name] for line in _rows(file) if line[column.name])
    result, row = _with(file, column.name, taken)

    _assert_broken(result, row, file, column, "id_taken")


@each(("file", "column"), COLUMNS, ids=_id)
def test_a_nul_breaks_any_cell(file: File, column: Column) -> None:
    result, row = _with(file, column.name, "x\x00y")

    _assert_broken(result, row, file, column, "control_character")


@each(("file", "name"), NEEDED, ids=_id)
def test_what_a_group_needs_empties_it_when_missing(file: File, name: str) -> None:
    result, row = _with(file, name, "")

    _assert_broken(result, row, file, file.column(name), "missing_required")


def test_a_term_that_ends_before_it_starts_has_no_end() -> None:
    sections = FORMAT.file("sections")
    lines = _rows(sections)
    lines[-1] |= {"Term_start": "08/02/2024", "Term_end": "08/01/2024"}
    result = _judged(sections, lines)

    _assert_broken(result, len(lines) + 1, sections, sections.column("Term_end"), "bad_date")


@each("file", FORMAT.files, ids=_id)
def test_a_second_row_of_a_key_is_dropped_when_equal_and_refused_when_not(file: File) -> None:
    lines = _rows(file)
    line = lines[_place(file, lines)]
    label, row = ", ".join(file.key), len(lines) + 2

    assert found(_judged(file, [*lines, line])) == [("info", "duplicate_row", row, label)]
    if file.repeats:
        assert found(_judged(file, [*lines, line | {"Contact_name": "Someone Else"}])) == []
    else:
        result = _judged(file, [*lines, line | {"ext.other": "x"}])

        assert found(result) == [("reject", "duplicate_key", row, label)]
        assert rows(result)[-1][REFUSED] is True


@each("column", [c for c in FORMAT.file("students").columns if c.name not in ("Student_id", "Password")], ids=_id)
def test_rows_of_one_student_may_differ_in_the_contact_only(column: Column) -> None:
    students = FORMAT.file("students")
    lines = _rows(students)
    line = lines[_place(students, lines)]
    other = next(
        row[column.name] for row in [*lines, {column.name: ""}, {column.name: "x"}] if row[column.name] != line[column.name]
    )
    result = _judged(students, [*lines, line | {column.name: other, "Contact_sis_id": "another"}])
    contact = students.repeats is not None and column.name in students.repeats.columns
    expected = [] if contact else [("warning", "conflicting_rows", len(lines) + 2, column.name)]

    if _group(students, column.name) and not other:
        expected = [("warning", "missing_required", len(lines) + 2, column.name)]
    assert found(result) == expected


@each(("file", "column"), [(f, c) for f, c in COLUMNS if c.name in {d.name for d in f.columns}], ids=_id)
def test_a_column_is_missed_only_where_it_is_required(file: File, column: Column) -> None:
    result = _judged(file, [{k: v for k, v in line.items() if k != column.name} for line in _rows(file)])

    if column.required:
        assert (result.refused, found(result)) == ("missing_column", [("file", "missing_column", None, column.name)])
    elif _group(file, column.name):
        assert {finding[1:2] + finding[3:] for finding in found(result)} == {("missing_required", column.name)}
    else:
        assert found(result) == []
