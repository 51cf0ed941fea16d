"""Which canonical columns have codes or a form, and that each of them is there."""

from __future__ import annotations

import pytest

from roster_etl.canonical.allowed_values import CELL_FORMATS, cell_format_of
from roster_etl.canonical.roster import TABLES
from roster_etl.spec.field_rules import Choice, Date, DateTime, Decimal, Email, Phone, Text, WholeNumber


@pytest.mark.parametrize(("table", "column"), CELL_FORMATS)
def test_a_form_is_that_of_a_column_beside_the_key(table: str, column: str) -> None:
    assert column in set(TABLES[table].names) - set(TABLES[table].key)


@pytest.mark.parametrize(
    ("names", "form"),
    [
        (("grade", "low_grade", "high_grade", "status", "gender", "race", "frl"), Choice),
        (("email", "principal_email"), Email),
        (("phone",), Phone),
    ],
)
def test_every_column_of_such_a_name_has_its_form(names: tuple[str, ...], form: type) -> None:
    found = [(table, name) for table in TABLES.values() for name in table.names if name in names and name not in table.key]
    assert found
    assert [type(cell_format_of(table, name)) for table, name in found] == [form] * len(found)


def test_any_other_column_has_the_form_of_its_type() -> None:
    forms = {"text": Text, "boolean": Choice, "integer": WholeNumber, "float": Decimal, "date": Date, "timestamp": DateTime}
    for table in TABLES.values():
        for column in table.columns:
            if (table.name, column.name) not in CELL_FORMATS:
                assert isinstance(cell_format_of(table, column.name), forms[column.type])
