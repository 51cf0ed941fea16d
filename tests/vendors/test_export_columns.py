"""An export writes the columns of the format's document, in its order, and each holds what the import reads from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pytest

from roster_etl.exports.plan import OutFile
from roster_etl.spec import File
from roster_etl.vendors import discover_vendors, vendor
from roster_etl.vendors.export_formats import export_formats

NAMES = [name for name, format_ in export_formats().items() if format_.vendor in discover_vendors()]
MAPPED = [name for name in NAMES if vendor(name).mappings]


def files(name: str) -> Iterator[tuple[OutFile, File]]:
    """Yield the files of an export, of each version, with those of the document."""
    format_, document = export_formats()[name], vendor(name).format
    for version, outs in {"": format_.files, **{version: outs for (_, version), outs in format_.by_option.items()}}.items():
        specs = {file.file_name.casefold(): file for file in document.files}
        older = next(iter(document.versions)) if document.versions and not version else version
        specs |= {file.file_name.casefold(): file for file in document.versions.get(older, ())}
        yield from ((out, specs[out.name.casefold()]) for out in outs)


@pytest.mark.parametrize("name", NAMES)
def test_columns_are_those_of_the_document_in_its_order_and_the_required_ones_are_there(name: str) -> None:
    for out, spec in files(name):
        written, known = [column.name for column in out.columns], [column.name for column in spec.columns]

        assert [column for column in known if column in written] == written, out.name
        assert {column.name for column in spec.columns if column.required} <= {*written}, out.name


@pytest.mark.parametrize("name", export_formats())
def test_each_column_is_a_value_a_constant_or_empty(name: str) -> None:
    format_ = export_formats()[name]
    outs = (*format_.files, *(out for some in format_.by_option.values() for out in some))

    assert [
        (out.name, column.name)
        for out in outs
        for column in out.columns
        if [bool(column.value), bool(column.const), column.form == "empty"].count(True) != 1
    ] == []


@pytest.mark.parametrize("name", MAPPED)
def test_what_an_import_fills_has_a_home_in_the_export(name: str) -> None:
    """Which kind of user a person is follows from the file."""
    format_ = export_formats()[name]
    held = format_.held_columns().union(*(format_.with_options(dict([chosen])).held_columns() for chosen in format_.by_option))
    filled = {f"{mapping.to}.{column}" for mapping in vendor(name).mappings for column in mapping.lineage()}

    assert {column for column in filled - held if not column.endswith(".user_kind")} == set()


@pytest.mark.parametrize("name", MAPPED)
def test_a_column_holds_what_the_import_reads_from_it(name: str) -> None:
    read = defaultdict(set)
    for mapping in vendor(name).mappings:
        for column, sources in mapping.lineage().items():
            for source in sources:
                read[source].add(f"{mapping.to}.{column}")

    assert [
        (out.name, column.name)
        for out, spec in files(name)
        for column in out.columns
        if column.canonical_columns and not column.const and read[spec.name, column.name].isdisjoint(column.canonical_columns)
    ] == []
