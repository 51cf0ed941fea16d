"""Every sample passes, and every broken promise fails exactly its rule: one cell of a valid upload is broken at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from roster_etl.frames.arrow import REFUSED
from roster_etl.spec import (
    Choice,
    Column,
    Date,
    DateTime,
    Decimal,
    Digits,
    Email,
    File,
    Identifier,
    ListOf,
    Phone,
    RequireAnyOf,
    RequiredTogether,
    SchoolYear,
    Status,
    Text,
    WholeNumber,
)
from roster_etl.vendors import Vendor, discover_vendors
from tests.vendors.breaking import any_of, assert_broken, group_of, judged, judged_with, lines_of, place_of, sample
from tests.walking import found, judge_upload, map_upload, rows

BROKEN = {
    Choice: "?",
    Status: "gone",
    Digits: "12a",
    WholeNumber: "1e3",
    Decimal: "1,5",
    Date: "02/30/2020",
    DateTime: "2020-02-30",
    Email: "nobody",
    Phone: "123",
    Text: "x" * 10_000,
    Identifier: "a b",
    SchoolYear: "2027-2026",
    ListOf: '["a"]',
}
CODES = {
    Status: "bad_status",
    Date: "bad_date",
    DateTime: "bad_date",
    Email: "invalid_email",
    Phone: "bad_phone",
    Text: "too_long",
    Identifier: "bad_id",
    ListOf: "list_mismatch",
}


class Place(NamedTuple):
    """A column of a vendor's file."""

    vendor: Vendor
    file: File
    column: Column


def _places() -> Iterator[Place]:
    for vendor in discover_vendors().values():
        for file in vendor.format.files:
            families = [family.column(n) for family in file.families for n in (family.first, family.last or family.first + 10)]
            yield from (Place(vendor, file, column) for column in (*file.columns, *families) if not column.secret)


PLACES = list(_places())
DECLARED = [place for place in PLACES if place.column in place.file.columns]
FILES = list(dict.fromkeys((place.vendor.format.name, place.file.name) for place in PLACES))
VENDORS = [pytest.param(vendor, id=name) for name, vendor in discover_vendors().items()]
NEEDED = [
    Place(vendor, file, file.column(name))
    for vendor in discover_vendors().values()
    for file in vendor.format.files
    for rule in file.rules
    if isinstance(rule, RequiredTogether)
    for name in rule.required
]


def each(places: list[Place]) -> Callable[[Callable[[Place], None]], Callable[..., None]]:
    """Run a test for each of `places`: those of one file one after the other, a failure says of which column."""
    files: dict[str, list[Place]] = {}
    for place in places:
        files.setdefault(f"{place.vendor.format.name}-{place.file.name}", []).append(place)

    def decorated(test: Callable[[Place], None]) -> Callable[..., None]:
        def of_a_file(of_file: list[Place]) -> None:
            for place in of_file:
                try:
                    test(place)
                except AssertionError as error:
                    error.add_note(f"column {place.column.name}")
                    raise

        of_a_file.__name__ = test.__name__
        return pytest.mark.parametrize("of_file", files.values(), ids=files)(of_a_file)

    return decorated


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_sample_has_every_file_and_every_column(vendor: Vendor) -> None:
    missing = [
        (file.name, column.name) for v, file, column in DECLARED if v is vendor and column.name not in lines_of(vendor, file)[0]
    ]

    assert missing == []


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_sample_passes(vendor: Vendor) -> None:
    upload = sample(vendor.format.name)
    results = judge_upload(vendor, upload)

    assert {name: found(result) for name, result in results.items() if found(result)} == {}
    assert all(result.rows_accepted == result.rows_read > 0 for result in results.values())
    mapped = map_upload(vendor, upload)
    assert {name for name, made in mapped.items() if "warning" in made.findings.column("severity").to_pylist()} == set()
    assert {name for name, made in mapped.items() if made.collisions} == set()


@each([place for place in PLACES if place.column.required and not place.column.has_default])
def test_an_empty_required_cell_refuses_its_row(place: Place) -> None:
    result, row = judged_with(*place[:2], place.column.name, "")

    assert_broken(result, row, place.file, place.column, "missing_required")


@each(
    [
        place
        for place in PLACES
        if (not place.column.required or place.column.has_default)
        and not group_of(place.file, place.column.name)
        and not any_of(place.file, place.column.name)
    ]
)
def test_an_empty_optional_cell_is_fine(place: Place) -> None:
    result, _ = judged_with(*place[:2], place.column.name, "")

    assert found(result) == []
    assert result.rows_rejected == 0


@pytest.mark.parametrize(
    ("file", "rule"),
    [
        pytest.param((vendor, file), rule, id=f"{name}-{file.name}-{' '.join(rule.columns)}")
        for name, vendor in discover_vendors().items()
        for file in vendor.format.files
        for rule in file.rules
        if isinstance(rule, RequireAnyOf)
    ],
)
def test_a_row_with_none_of_the_columns_that_it_needs_one_of_is_refused(file: tuple[Vendor, File], rule: RequireAnyOf) -> None:
    lines = lines_of(*file)
    empty = dict.fromkeys((*rule.columns, *rule.unless), "")
    results = [judged(*file, [*lines, lines[-1] | empty | {name: "x"}]) for name in rule.columns]

    assert found(judged(*file, [*lines, lines[-1] | empty])) == [
        ("reject", "missing_required", len(lines) + 2, ", ".join(rule.columns))
    ]
    assert [found(result) for result in results] == [[]] * len(rule.columns)


@each([place for place in PLACES if place.column.cell_format != Text()])
def test_a_cell_of_another_form_is_broken(place: Place) -> None:
    form = place.column.cell_format
    result, row = judged_with(*place[:2], place.column.name, BROKEN[type(form)])

    code = form.code if isinstance(form, Choice) else CODES.get(type(form), "bad_value")
    assert_broken(result, row, place.file, place.column, code, getattr(form, "fallback", None))


@each([place for place in PLACES if place.column.references])
def test_a_reference_to_nothing_is_broken(place: Place) -> None:
    result, row = judged_with(*place[:2], place.column.name, "no-such-id")

    assert_broken(result, row, place.file, place.column, "unknown_reference")


@each([place for place in PLACES if place.column.unique])
def test_a_value_of_another_record_is_taken(place: Place) -> None:
    taken = next(line[place.column.name] for line in lines_of(*place[:2]) if line[place.column.name])
    result, row = judged_with(*place[:2], place.column.name, taken)

    assert_broken(result, row, place.file, place.column, "id_taken")


@each(PLACES)
def test_a_nul_breaks_any_cell(place: Place) -> None:
    result, row = judged_with(*place[:2], place.column.name, "x\x00y")

    assert_broken(result, row, place.file, place.column, "control_character")


@each(NEEDED)
def test_what_a_group_needs_empties_it_when_missing(place: Place) -> None:
    result, row = judged_with(*place[:2], place.column.name, "")

    assert_broken(result, row, place.file, place.column, "missing_required")


@pytest.mark.parametrize(("vendor", "name"), FILES)
def test_a_second_row_of_a_key_is_dropped_when_equal_and_refused_when_not(vendor: str, name: str) -> None:
    made = discover_vendors()[vendor]
    file = made.format.file(name)
    lines = lines_of(made, file)
    line = lines[place_of(file, lines)]
    label, row = ", ".join(file.key), len(lines) + 2

    if file.ordered_changes:
        assert found(judged(made, file, [*lines, line, line | _different(file, lines, line)])) == []
        return
    assert found(judged(made, file, [*lines, line])) == [("info", "duplicate_row", row, label)]
    if not file.repeats:
        different = _different(file, lines, line)
        result = judged(made, file, [*lines, line | different])
        named = file.identity_key if file.identity and different.keys() & set(file.identity.columns) else file.key

        assert found(result) == [("reject", "duplicate_key", row, ", ".join(named))]
        assert rows(result)[-1][REFUSED] is True


def _different(file: File, lines: list[dict[str, str]], line: dict[str, str]) -> dict[str, str]:
    """Return a cell that another row has, and `line` has not, of a column that is no id of the record."""
    for column in file.columns:
        if isinstance(column.cell_format, Status):
            return {column.name: next(option for option in column.cell_format.options if option != line[column.name])}
    usual = [c.name for c in file.columns if not (c.name in file.key or c.unique or c.secret)]
    return next({name: other[name]} for name in usual for other in lines if other[name] and other[name] != line[name])


@each(DECLARED)
def test_a_column_is_missed_only_where_it_is_required(place: Place) -> None:
    vendor, file, column = place
    lines = [{name: cell for name, cell in line.items() if name != column.name} for line in lines_of(vendor, file)]
    result = judged(vendor, file, lines)

    if column.required:
        assert (result.refused, found(result)) == ("missing_column", [("file", "missing_column", None, column.name)])
    elif rule := any_of(file, column.name):
        assert {finding[1:2] + finding[3:] for finding in found(result)} <= {("missing_required", ", ".join(rule.columns))}
    elif group_of(file, column.name):
        assert {finding[1:2] + finding[3:] for finding in found(result)} == {("missing_required", column.name)}
    else:
        assert found(result) == []
