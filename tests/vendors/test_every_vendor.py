"""What holds for every vendor. A new folder is found and tested without a change here."""

from __future__ import annotations

import ast
import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from roster_etl.canonical.allowed_values import cell_format_of
from roster_etl.canonical.roster import TABLES
from roster_etl.frames.arrow import text_series
from roster_etl.frames.timestamps import parse_timestamps
from roster_etl.mapping.column_plan import Expression, FirstOf, From, IfOption
from roster_etl.projections.samples import write_sample
from roster_etl.spec import (
    Choice,
    Column,
    DateTime,
    Digits,
    Email,
    File,
    Identifier,
    ListOf,
    NotBefore,
    Phone,
    RequireAnyOf,
    RequiredTogether,
    SchoolYear,
    Status,
    Text,
    WholeNumber,
)
from roster_etl.spec.options import options_of, resolve_options
from roster_etl.vendors import Vendor, _template, discover_vendors
from tests.parsing import parsed
from tests.vendors.breaking import is_required

VENDORS = (*discover_vendors().values(), _template.VENDOR)
FACTS = (
    ast.Module,
    ast.Import,
    ast.ImportFrom,
    ast.alias,
    ast.Assign,
    ast.AnnAssign,
    ast.Expr,
    ast.Constant,
    ast.Name,
    ast.Attribute,
    ast.Load,
    ast.Store,
    ast.Call,
    ast.keyword,
    ast.Tuple,
    ast.Dict,
    ast.Starred,
    ast.Subscript,  # in annotations
    ast.UnaryOp,
    ast.USub,
)
NOT_FACTS = {
    "mapping.py",
    "change_rules.py",
    "export.py",
    "sample.py",
}  # column and fold plans name functions; samples are made by them


def _id(vendor: Vendor) -> str:
    return vendor.format.name


def _files(vendor: Vendor) -> list[tuple[File, Column]]:
    families = [(file, family.column(family.first)) for file in vendor.format.files for family in file.families]
    return [(file, column) for file in vendor.format.files for column in file.columns] + families


@pytest.mark.parametrize("vendor", VENDORS, ids=_id)
def test_specs_are_data_only(vendor: Vendor) -> None:
    strange = [
        f"{path.name}:{getattr(node, 'lineno', 0)} {type(node).__name__}"
        for path in sorted(vendor.folder().glob("*.py"))
        if path.name not in NOT_FACTS
        for node in ast.walk(parsed(path))
        if not isinstance(node, FACTS)
    ]

    assert strange == []


@pytest.mark.parametrize("vendor", VENDORS, ids=_id)
def test_calls_in_specs_are_constructors(vendor: Vendor) -> None:
    called = {
        ast.unparse(node.func)
        for path in vendor.folder().glob("*.py")
        if path.name not in NOT_FACTS
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call)
    }

    assert {name for name in called if not name[:1].isupper()} == set()


@pytest.mark.parametrize("vendor", VENDORS, ids=_id)
def test_a_folder_has_a_readme_that_names_its_document(vendor: Vendor) -> None:
    readme = (vendor.folder() / "README.md").read_text(encoding="utf-8")

    assert "**Document:**" in readme
    assert all(f"`{option.name}`" in readme for option in vendor.format.options)


@pytest.mark.parametrize("vendor", VENDORS, ids=_id)
def test_every_column_has_a_note_and_every_file_a_source(vendor: Vendor) -> None:
    assert [f"{file.name}.{column.name}" for file, column in _files(vendor) if not column.note] == []
    assert [file.name for file in vendor.format.files if not file.source] == []


@pytest.mark.parametrize("vendor", VENDORS, ids=_id)
def test_passwords_are_secret(vendor: Vendor) -> None:
    assert [column.name for _, column in _files(vendor) if "password" in column.name.casefold() and not column.secret] == []


@pytest.mark.parametrize("vendor", VENDORS, ids=_id)
def test_options_have_defaults_that_can_be_read_and_columns_name_options_that_exist(vendor: Vendor) -> None:
    values = resolve_options(vendor.format)

    assert set(values) == set(options_of(vendor.format))
    assert {column.optional_if_option for _, column in _files(vendor) if column.optional_if_option} <= set(values)


@pytest.mark.parametrize("vendor", VENDORS, ids=_id)
def test_every_option_of_a_code_list_is_mapped_to_a_code_that_its_column_may_have(vendor: Vendor) -> None:
    wrong: list[str] = []
    found: dict[str, set[object]] = {}
    for file, column, table, target, read_with in _reads_of_one_column(vendor):
        if isinstance(column.cell_format, Choice):
            options, codes = column.cell_format.options, getattr(cell_format_of(TABLES[table], target), "options", ())
            for option, code in zip(options, _mapped(options, read_with), strict=True):
                place = f"{file}.{column.name}: {option}"
                found.setdefault(place, set()).add(None if code is pd.NA else code)
                if isinstance(code, str) and codes and code not in codes:
                    wrong.append(f"{place} becomes {code} in {table}.{target}")

    assert wrong == []
    assert [place for place, codes in found.items() if codes == {None}] == []
    assert found or not any(isinstance(column.cell_format, Choice) for _, column in _files(vendor))


def _reads_of_one_column(vendor: Vendor) -> Iterator[tuple[str, Column, str, str, Callable[..., pd.Series]]]:
    """Yield file, column, canonical table and column, and the function between them, where it is of this column alone."""
    columns = {(file.name, column.name): column for file, column in _files(vendor)}
    for mapping in vendor.mappings:
        for target, expression in mapping.columns.items():
            for part in _parts(expression):
                origins = [pair for source in part.sources for pair in mapping.origins(source)]
                if not part.option and len(origins) == 1 and origins[0] in columns:
                    yield origins[0][0], columns[origins[0]], mapping.to, target, part.via or _unchanged
    for kind in vendor.change_plan.kinds if vendor.change_plan else ():
        for given in kind.columns:
            if (kind.name, given.column) in columns and given.to in TABLES[kind.table].names:
                yield kind.name, columns[kind.name, given.column], kind.table, given.to, given.via or _unchanged


def _unchanged(values: pd.Series) -> pd.Series:
    return values


def _parts(expression: Expression) -> Iterator[From]:
    match expression:
        case From():
            yield expression
        case FirstOf(choices=parts):
            for part in parts:
                yield from _parts(part)
        case IfOption(then=then, otherwise=otherwise):
            yield from _parts(then)
            yield from _parts(otherwise)


def _mapped(options: Sequence[str], function: Callable[..., pd.Series]) -> list[object]:
    return function(pd.Series(text_series(list(options)))).tolist()


@pytest.mark.parametrize("vendor", VENDORS, ids=_id)
@pytest.mark.parametrize("students", [1, 120])
def test_a_sample_keeps_every_promise(vendor: Vendor, students: int, tmp_path: Path) -> None:
    write_sample(vendor, tmp_path, students=students, seed=7)

    assert _broken(vendor, tmp_path) == []


@pytest.mark.parametrize("vendor", VENDORS, ids=_id)
def test_a_sample_depends_on_its_seed_only(vendor: Vendor, tmp_path: Path) -> None:
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_sample(vendor, tmp_path / folder, students=40, seed=seed)
    content = {folder: [path.read_bytes() for path in sorted((tmp_path / folder).iterdir())] for folder in "abc"}

    assert content["a"] == content["b"]
    assert content["a"] != content["c"]


def _broken(vendor: Vendor, folder: Path) -> list[str]:
    """Return what a slow and plain reading of the specs has against the files in `folder`."""
    rows = {}
    broken = []
    for file in vendor.format.files:
        path = folder / file.file_name
        if not path.exists():
            broken += [f"{file.file_name} is missing"] if file.required else []
            continue
        with path.open(encoding="utf-8", newline="") as text:
            rows[file.name] = list(csv.DictReader(text, strict=True))
        broken += _broken_file(file, rows)
    return broken


def _broken_file(file: File, rows: dict[str, list[dict[str, str]]]) -> list[str]:
    own = rows[file.name]
    columns = [*file.columns, *(f.column(n) for f in file.families for n in range(f.first, (f.last or f.first) + 1))]
    broken = [f"{file.name} has no rows"] if not own else []
    broken += [f"{file.name} lacks {c.name}" for c in file.columns if c.required and own and c.name not in own[0]]
    for column in columns:
        known = {row[column.references.column] for row in rows[column.references.file]} if column.references else set()
        is_list = isinstance(column.cell_format, ListOf)
        for row in own:
            cell = row.get(column.name, "")
            if cell != cell.strip() or (not cell and is_required(column, row)):
                broken.append(f"{file.name}.{column.name}: empty or spaced")
            elif cell and not _fits(column, cell):
                broken.append(f"{file.name}.{column.name}: {cell!r} has another form")
            elif column.references and not set(cell.split(",") if is_list else [cell]) - {""} <= known | set(
                column.references.also
            ):
                broken.append(f"{file.name}.{column.name}: {cell!r} refers to nothing")
    return broken + _broken_keys(file, own) + _broken_rules(file, own)


def _fits(column: Column, cell: str) -> bool:  # noqa: PLR0912 - one line for each form
    match column.cell_format:
        case Choice(options=options, ranges=ranges):
            return cell in options or (ranges and set(cell.split("-")) <= set(options))
        case Status(options=options):
            return cell in options
        case Identifier():
            return cell.isascii() and all(mark.isalnum() or mark in "._/@-" for mark in cell)
        case SchoolYear():
            return cell.isdigit() and len(cell) == 4
        case ListOf(item=Choice(options=options)):
            return set(cell.split(",")) <= set(options)
        case ListOf(pairs=pairs):
            return all(item.strip() == item and item and item.startswith("{") == pairs for item in cell.split(","))
        case DateTime():
            return parse_timestamps(pa.array([cell]))[0].is_valid
        case WholeNumber(minimum=minimum, maximum=maximum):
            return cell.isdigit() and minimum <= int(cell) <= maximum
        case Phone(lengths=lengths):
            digits = "".join(mark for mark in cell if mark not in " ().+-")
            return digits.isdigit() and len(digits) in lengths
        case Email():
            return cell.count("@") == 1 and cell.isascii()
        case Status(options=words):
            return cell in words
        case Digits():
            return cell.isascii() and cell.isdigit()
        case Text(max_length=limit):
            return limit is None or len(cell) <= limit
    return True


def _broken_keys(file: File, rows: list[dict[str, str]]) -> list[str]:
    repeated = set(file.repeats.columns) if file.repeats else set()
    first: dict[tuple[str, ...], dict[str, str]] = {}
    broken = []
    for row in rows:
        key = tuple(row[name] for name in file.key)
        told = {name: cell for name, cell in row.items() if name not in repeated}
        if key in first and not file.ordered_changes and (not repeated or first[key] != told):
            broken.append(f"{file.name}: key {key} twice")
        first.setdefault(key, told)
    for column in file.columns:
        if column.unique:
            pairs = {
                (row[column.name], *(row[name] for name in column.unique.per or file.key)) for row in rows if row[column.name]
            }
            broken += [f"{file.name}.{column.name} is not unique"] if len(pairs) != len({pair[0] for pair in pairs}) else []
    return broken


def _broken_rules(file: File, rows: list[dict[str, str]]) -> list[str]:
    broken = []
    for rule in file.rules:
        for row in rows:
            if (
                isinstance(rule, RequiredTogether)
                and any(row[c] for c in rule.columns)
                and not all(row[c] for c in rule.required)
            ):
                broken.append(f"{file.name}: {rule.required} are needed")
            if isinstance(rule, RequireAnyOf) and not any(row[c] for c in (*rule.columns, *rule.unless)):
                broken.append(f"{file.name}: one of {rule.columns} is needed")
            if isinstance(rule, NotBefore) and row[rule.column] and _day(row[rule.column]) < _day(row[rule.other]):
                broken.append(f"{file.name}: {rule.column} before {rule.other}")
    return broken


def _day(cell: str) -> tuple[str, ...]:
    """Return the day of a cell of a sample: "mm/dd/yyyy" or "yyyy-mm-dd"."""
    if "-" in cell:
        return tuple(cell.split("-"))
    month, day, year = cell.split("/")
    return year, month, day
