"""A valid upload of any format, to be broken in one place at a time.

Belongs here: samples as text, the files that samples leave out, and the verdict on a file with one cell changed.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from roster_etl.engine.validation.validate import ReferencedFile, ValidatedFile
from roster_etl.frames.arrow import REFUSED, ROW
from roster_etl.projections.samples import write_sample
from roster_etl.spec import Column, File, RequireAnyOf, RequiredTogether
from roster_etl.vendors import Vendor, vendor
from tests.walking import found, judge, judge_upload, rows

Row = dict[str, str]
_ADMINS = "School_id,Staff_id,Admin_email,First_name,Last_name,Admin_title,Username,Password,Role\n" + "".join(
    f"{{first}},a{n},a{n}@example.org,Ann,Adams,Boss,ann{n},x,STL\n" for n in (1, 2)
)
_RENAMES = "old_id,new_id,old_integration_id,new_integration_id,type\n" + "".join(f"o{n},n{n},oi{n},ni{n},user\n" for n in (1, 2))
# Files that samples leave out. {first}: the first cell of the sample's first file.
_LEFT_OUT: Mapping[str, Mapping[str, str]] = {"clever": {"admins": _ADMINS}, "canvas": {"change_sis_id": _RENAMES}}


@cache
def sample(name: str) -> dict[str, str]:
    """Return a valid upload of format `name`, by spec name, with every file of the format."""
    made = vendor(name)
    with TemporaryDirectory() as folder:
        write_sample(made, Path(folder), students=30, seed=11)
        paths = {file.name: Path(folder) / file.file_name for file in made.format.files}
        texts = {file: path.read_text(encoding="utf-8") for file, path in paths.items() if path.exists()}
    first = next(iter(next(csv.DictReader(io.StringIO(next(iter(texts.values()))))).values()))
    return {file: text.format(first=first) for file, text in _LEFT_OUT.get(name, {}).items()} | texts


@cache
def _others(name: str) -> dict[str, ReferencedFile]:
    judged = judge_upload(vendor(name), sample(name))
    return {
        file: ReferencedFile(rows=result.rows, file_name=vendor(name).format.file(file).file_name)
        for file, result in judged.items()
    }


def lines_of(made: Vendor, file: File) -> list[Row]:
    """Return the rows of a file of the sample."""
    return list(csv.DictReader(io.StringIO(sample(made.format.name)[file.name])))


def judged(made: Vendor, file: File, lines: list[Row]) -> ValidatedFile:
    """Judge `lines` as `file`, beside the other files of the sample."""
    header = list(dict.fromkeys(name for line in lines for name in line))
    out = io.StringIO()
    writer = csv.DictWriter(out, header, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return judge(file, out.getvalue(), _others(made.format.name), fixed_order=made.format.fixed_column_order)


def place_of(file: File, lines: list[Row]) -> int:
    """Return the place of the last row whose record has no other row, with its groups of columns filled if the file has any."""
    ids = [line[file.key[0]] for line in lines]
    needed = [name for rule in file.rules if isinstance(rule, RequiredTogether) for name in rule.required]
    unique = [n for n, line in enumerate(lines) if ids.count(line[file.key[0]]) == 1 and all(line[name] for name in needed)]
    return unique[-1] if unique else len(lines) - 1


def judged_with(made: Vendor, file: File, column: str, value: str) -> tuple[ValidatedFile, int]:
    """Return the verdict on the sample with `value` in one row's `column`, and the row's number."""
    lines = lines_of(made, file)
    place = place_of(file, lines)
    lines[place] = {**lines[place], column: value}
    return judged(made, file, lines), place + 2


def group_of(file: File, column: str) -> RequiredTogether | None:
    """Return the rule that empties a group of columns when `column` is empty."""
    return next((rule for rule in file.rules if isinstance(rule, RequiredTogether) and column in rule.required), None)


def any_of(file: File, column: str) -> RequireAnyOf | None:
    """Return the rule that needs one of several columns, `column` among them, or does without them because of it."""
    return next((r for r in file.rules if isinstance(r, RequireAnyOf) and column in (*r.columns, *r.unless)), None)


def is_required(column: Column, line: Mapping[str, str]) -> bool:
    """Tell, by a slow and plain reading of the spec, whether a broken cell of `column` refuses the row `line`."""
    where = column.required_where
    return line[where.column].casefold() in where.values if where else column.required and not column.has_default


def assert_broken(result: ValidatedFile, row: int, file: File, column: Column, code: str, value: str | None = None) -> None:
    """The one finding is `code` on this cell; a required or strict column refuses the row, any other cell becomes `value`."""
    record = next(r for r in rows(result) if r[ROW] == row)
    required = column.strict or is_required(column, {name: str(cell) for name, cell in record.items()})
    required = required or (file.ordered_changes and code == "control_character")
    others = [r for r in rows(result) if r[ROW] != row]
    expected = [("reject" if required else "warning", code, row, column.name)]
    group = group_of(file, column.name)
    if group and code != "missing_required":
        expected.append(("warning", "missing_required", row, column.name))

    assert found(result) == expected
    assert record[REFUSED] is required
    assert required or record.get(column.name) == value
    assert not group or not set(group.columns) & set(record)
    assert [r for r in others if r[REFUSED]] == []
