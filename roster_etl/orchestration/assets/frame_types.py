"""Dagster types of the tables that are passed between assets: columns and their types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import dagster as dg
import pandas as pd
import pyarrow as pa
from dagster_pandas import PandasColumn, create_dagster_pandas_dataframe_type
from dagster_pandas.constraints import ColumnDTypeInSetConstraint

from roster_etl.canonical.roster import ColumnType, RosterTable
from roster_etl.frames.arrow import DELETED, FILE, REFUSED, ROW, to_frame
from roster_etl.spec import File, Format

NOTHING = cast("dg.DagsterType", dg.Nothing)  # the type of an asset without a table

_TYPES: dict[ColumnType, pa.DataType] = {
    "text": pa.string(),
    "boolean": pa.bool_(),
    "integer": pa.int64(),
    "float": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
_LINEAGE_TYPES: dict[str, ColumnType] = {
    "source_file": "text",
    "source_row": "integer",
    "derived": "text",
    "extensions": "text",
    "row_hash": "text",
    REFUSED: "boolean",
    DELETED: "boolean",
}


def file_type(format_: Format, file: File) -> dg.DagsterType:
    """Return the type of a validated file: all cells text, with ``_row`` and marks; a column may be absent unless it is required.

    In delta formats ``_file`` is the name of the file from which a row is, because a kind may have several.
    """
    columns = [
        _Column(column.name, "text", required=column.required and not column.optional_if_option)
        for column in file.columns
        if not column.secret
    ]
    marks = (REFUSED, DELETED) if file.deleted else (REFUSED,)
    columns += [_Column(ROW, "integer"), *(_Column(mark, "boolean") for mark in marks)]
    columns += [_Column(FILE, "text")] if file.ordered_changes else []
    return _frame_type(
        name=f"validated_{format_.name}_{file.name}",
        description=f"{file.file_name} after validation: one row per readable record, in the vendor's spelling.",
        columns=columns,
    )


def table_type(table: RosterTable) -> dg.DagsterType:
    """Return the type of a mapped table: business columns, the origin of each row, its hash, ``_refused`` and ``_deleted``."""
    return _frame_type(
        name=f"mapped_{table.name}",
        description=f"{table.name} as mapped from the upload: one row per record.",
        columns=_table_columns(table),
    )


def require_table(table: RosterTable, rows: pa.Table) -> None:
    """Check the schema of a mapped table, which no step hands on as an output of its own. Raises dg.Failure: it is another one."""
    if len(set(rows.column_names)) == rows.num_columns and all(column.fits(rows.schema) for column in _table_columns(table)):
        return
    checked = table_type(table).type_check(cast("dg.TypeCheckContext", None), rows)
    raise dg.Failure(f"{table.name}: {checked.description}", allow_retries=False)


def _table_columns(table: RosterTable) -> list[_Column]:
    columns = [_Column(column.name, column.type) for column in table.columns]
    return columns + [_Column(name, kind) for name, kind in _LINEAGE_TYPES.items()]


@dataclass(frozen=True)
class _Column:
    """A column of a table. ``required``: the table must have it."""

    name: str
    kind: ColumnType
    required: bool = True

    def fits(self, schema: pa.Schema) -> bool:
        """Return whether `schema`, whose names are unique, has the column with its type, or lacks it where it may."""
        place = schema.get_field_index(self.name)
        return schema.field(place).type.equals(_TYPES[self.kind]) if place >= 0 else not self.required

    def described(self) -> PandasColumn:
        """Return the column in the terms of dagster-pandas."""
        dtype = ColumnDTypeInSetConstraint({str(pd.ArrowDtype(_TYPES[self.kind]))})  # type: ignore[no-untyped-call]
        return PandasColumn(self.name, is_required=self.required, constraints=[dtype])  # type: ignore[no-untyped-call]


def _frame_type(name: str, description: str, columns: list[_Column]) -> dg.DagsterType:
    """Return the type of an Arrow table, described as dagster-pandas does for a DataFrame of the same columns.

    Only the schema is checked, and no row is converted (decision 0024). dagster-pandas words what is wrong with a schema.
    """
    made = create_dagster_pandas_dataframe_type(  # type: ignore[no-untyped-call]
        name=name, description=description, columns=[column.described() for column in columns]
    )
    frame_type = cast("dg.DagsterType", made)

    def checked(context: dg.TypeCheckContext, value: object) -> dg.TypeCheck:
        if not isinstance(value, pa.Table):
            return dg.TypeCheck(success=False, description=f"Must be a pyarrow.Table. Got value of type {type(value).__name__}")
        if len(set(value.column_names)) < value.num_columns:
            return dg.TypeCheck(success=False, description="Must have each column once.")
        if all(column.fits(value.schema) for column in columns):
            return dg.TypeCheck(success=True)
        return frame_type.type_check(context, to_frame(value.schema.empty_table()))

    return dg.DagsterType(name=name, type_check_fn=checked, description=frame_type.description, typing_type=pa.Table)
