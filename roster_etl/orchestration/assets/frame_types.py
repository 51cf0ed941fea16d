"""Dagster types of the tables that are passed between assets: columns and their types.

Belongs here: schemas only. The quality of the cells is evaluated by the suites.
"""

from __future__ import annotations

from typing import cast

import dagster as dg
import pyarrow as pa
from dagster_pandas import PandasColumn, create_dagster_pandas_dataframe_type
from dagster_pandas.constraints import ColumnDTypeInSetConstraint

from roster_etl.canonical.roster import ColumnType, RosterTable
from roster_etl.frames.arrow import DELETED, FILE, REFUSED, ROW, to_frame
from roster_etl.spec import File, Format

NOTHING = cast("dg.DagsterType", dg.Nothing)  # the type of an asset without a table

_DTYPES: dict[ColumnType, str] = {
    "text": "string[pyarrow]",
    "boolean": "bool[pyarrow]",
    "integer": "int64[pyarrow]",
    "float": "double[pyarrow]",
    "date": "date32[day][pyarrow]",
    "timestamp": "timestamp[us, tz=UTC][pyarrow]",
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
        _column(column.name, "text", required=column.required and not column.relaxed_by)
        for column in file.columns
        if not column.secret
    ]
    marks = (REFUSED, DELETED) if file.deleted else (REFUSED,)
    columns += [_column(ROW, "integer"), *(_column(mark, "boolean") for mark in marks)]
    columns += [_column(FILE, "text")] if file.in_order else []
    return _frame_type(
        name=f"validated_{format_.name}_{file.name}",
        description=f"{file.file_name} after validation: one row per readable record, in the vendor's spelling.",
        columns=columns,
    )


def table_type(table: RosterTable) -> dg.DagsterType:
    """Return the type of a mapped table: business columns, the origin of each row, its hash, ``_refused`` and ``_deleted``."""
    columns = [_column(column.name, column.type) for column in table.columns]
    columns += [_column(name, kind) for name, kind in _LINEAGE_TYPES.items()]
    return _frame_type(
        name=f"mapped_{table.name}", description=f"{table.name} as mapped from the upload: one row per record.", columns=columns
    )


def _frame_type(name: str, description: str, columns: list[PandasColumn]) -> dg.DagsterType:
    """Return the type of an Arrow table, described and checked as dagster-pandas does for a DataFrame of the same columns.

    Only the schema is checked, so that no row is converted (decision 0024).
    """
    made = create_dagster_pandas_dataframe_type(name=name, description=description, columns=columns)  # type: ignore[no-untyped-call]
    frame_type = cast("dg.DagsterType", made)

    def checked(context: dg.TypeCheckContext, value: object) -> dg.TypeCheck:
        if not isinstance(value, pa.Table):
            return dg.TypeCheck(success=False, description=f"Must be a pyarrow.Table. Got value of type {type(value).__name__}")
        return frame_type.type_check(context, to_frame(value.schema.empty_table()))

    return dg.DagsterType(name=name, type_check_fn=checked, description=frame_type.description, typing_type=pa.Table)


def _column(name: str, kind: ColumnType, *, required: bool = True) -> PandasColumn:
    dtype = ColumnDTypeInSetConstraint({_DTYPES[kind]})  # type: ignore[no-untyped-call]
    return PandasColumn(name, is_required=required, constraints=[dtype])  # type: ignore[no-untyped-call]
