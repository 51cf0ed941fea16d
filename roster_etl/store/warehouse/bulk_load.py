"""Bulk transfer of Arrow tables into and out of the database, in the transaction of the given connection.

Each database has its own path: ADBC on SQLite, COPY on PostgreSQL.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from pyarrow import csv

from roster_etl.canonical.sql_types import SQLITE_TIMESTAMP_FORMAT, Timestamp
from roster_etl.store.warehouse.database import CACHE_KIB
from roster_etl.store.warehouse.sqlite_adbc import BATCH_SIZE

_SQL_TYPES: dict[pa.DataType, sa.types.TypeEngine[Any]] = {
    pa.string(): sa.Text(),
    pa.bool_(): sa.Boolean(),
    pa.int64(): sa.BigInteger(),
    pa.float64(): sa.Double(),
    pa.date32(): sa.Date(),
    pa.timestamp("us", tz="UTC"): Timestamp(),
}
_CSV_BLOCK = 16 * 1024 * 1024
_HUGE = 1_000_000  # rows of a result that stays where the driver has put it
BATCH_ROWS = 65_536
_ENTRY_BYTES = 64  # of an index, with what is free in its pages: an ID takes 30, an address 70


def stage(connection: sa.Connection, name: str, rows: pa.Table) -> sa.TableClause:
    """Load `rows` into the temporary table `name`, visible to this connection only, and return the table.

    The columns of `rows` have the types of the canonical roster.
    """
    columns = [sa.Column(field.name, _SQL_TYPES[field.type]) for field in rows.schema]
    if connection.dialect.name == "sqlite":
        return _stage_sqlite(connection, name, rows, columns)
    staged = sa.Table(name, sa.MetaData(), *columns, prefixes=["TEMPORARY"], postgresql_on_commit="DROP")
    staged.create(connection)
    copied = f"COPY {name} ({', '.join(_quote_names(rows.schema.names))}) FROM STDIN (FORMAT csv)"
    with driver(connection).cursor() as cursor, cursor.copy(copied) as copy:
        for batch in rows.to_batches(max_chunksize=65_536):
            sink = io.BytesIO()
            csv.write_csv(batch, sink, csv.WriteOptions(include_header=False))
            copy.write(sink.getvalue())
    return staged


def fit_cache(connection: sa.Connection, entries: int) -> None:
    """Let SQLite keep the pages of so many index entries that come in any order, beside its usual cache; 0: only that one.

    A page that is put out meanwhile is written and read again for each entry that comes to it.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA cache_size = -{CACHE_KIB + entries * _ENTRY_BYTES // 1024}")


def looked_up(connection: sa.Connection, table: str, alias: str, columns: str, condition: str) -> str:
    """Return, after FROM and a table, the join with the rows of another `table` that meet a `condition`, looked up row by row by an index.

    Args: columns: those that the query needs, with the alias before them.
    """
    if connection.dialect.name == "postgresql":  # OFFSET keeps what is in brackets from being joined the other way round
        return f"CROSS JOIN LATERAL (SELECT {columns} FROM {table} AS {alias} WHERE {condition} OFFSET 0) AS {alias}"
    return f"CROSS JOIN {table} AS {alias} ON {condition}"  # SQLite keeps the order of a CROSS JOIN


def unstage(connection: sa.Connection, staged: sa.TableClause) -> None:
    """Drop a temporary table as soon as its rows are used, so that they are in memory only once."""
    connection.exec_driver_sql(f"DROP TABLE {staged.name}")


def insert(connection: sa.Connection, table: sa.Table, rows: pa.Table, **same: sa.ColumnElement[Any]) -> None:
    """Insert `rows` into `table`, each with the values of `same` beside its own."""
    staged = stage(connection, f"new_{table.name}", rows)
    chosen = sa.select(*same.values(), *staged.c)
    connection.execute(sa.insert(table).from_select([*same, *rows.schema.names], chosen, include_defaults=False))
    unstage(connection, staged)


def fetch(
    connection: sa.Connection,
    query: sa.Select[Any] | sa.CompoundSelect[Any],
    schema: pa.Schema,
    staged: sa.TableClause | None = None,
) -> pa.Table:
    """Return the rows of `query` as a table of `schema`, whose fields are in the order of the query's columns. Then drop `staged`.

    PostgreSQL gets values in `query` as part of the statement: only ids, internal names, numbers or timestamps are allowed.
    """
    if connection.dialect.name == "sqlite":
        with connection.execute(query) as result:  # compiled once a process, and read as one batch
            rows = _in_own_memory(result.cursor.fetch_arrow_table())
    else:
        rows = _copy_out(connection, query, schema)
    if staged is not None:
        unstage(connection, staged)
    return _cast_columns(rows, schema)


def _in_own_memory(rows: pa.Table) -> pa.Table:
    """Return a copy of a result that is not huge. ADBC reserves 160 MB of addresses a column, for the largest result that there may be.

    Twenty tables that are read would hold 70 GB of them, and a process that has reserved more than the machine's memory cannot fork.
    """
    return pa.concat_tables([rows, rows.slice(rows.num_rows)]).combine_chunks() if rows.num_rows < _HUGE else rows


Collect = Callable[[Iterable[pa.RecordBatch], pa.Schema, Sequence[str]], pa.Table]
"""Makes a table of batches and their schema, in the ascending order of some columns."""


def fetch_batches(
    connection: sa.Connection, query: sa.Select[Any] | sa.CompoundSelect[Any], schema: pa.Schema, *, rows: int = BATCH_ROWS
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of `query` as `fetch` returns them, about `rows` at a time, so that they need not all be in memory."""
    if connection.dialect.name == "sqlite":
        yield from _fetch_sqlite_batches(connection, query, schema, rows)
        return
    for copied in _copied_rows(connection, query, _CSV_BLOCK):
        yield from _cast_columns(_read_copied(copied, schema), schema).to_batches()


def _fetch_sqlite_batches(
    connection: sa.Connection, query: sa.Select[Any] | sa.CompoundSelect[Any], schema: pa.Schema, rows: int
) -> Iterator[pa.RecordBatch]:
    """Yield batches. ADBC takes the types of columns from the first one, so it begins with a row that has all of them."""
    typed: Any = sa.select(*(sa.literal_column(_sqlite_example(field.type)) for field in schema))
    whole = f"{literal(connection, typed)} UNION ALL {literal(connection, query)}"
    with driver(connection).cursor(adbc_stmt_kwargs={BATCH_SIZE: str(rows)}) as cursor:
        cursor.execute(whole)
        skipped = 1
        for batch in cursor.fetch_record_batch():
            found = pa.table(batch.slice(skipped))
            skipped = 0
            yield from _cast_columns(found, schema).to_batches()


def _sqlite_example(kind: pa.DataType) -> str:
    """Return a value as SQLite stores the type: numbers and truth as numbers, all others as text."""
    if pa.types.is_floating(kind):
        return "0.5"
    return "0" if pa.types.is_integer(kind) or pa.types.is_boolean(kind) else "'x'"


def driver(connection: sa.Connection) -> Any:
    """Return the driver's connection behind `connection`."""
    return connection.connection.driver_connection


def _quote_names(names: list[str]) -> list[str]:
    return [f'"{name}"' for name in names]


def literal(connection: sa.Connection, query: sa.ClauseElement) -> str:
    """Return `query`, or a part of one, as SQL with its values in it; see `fetch` for those that are allowed."""
    return str(query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))


def _stage_sqlite(connection: sa.Connection, name: str, rows: pa.Table, columns: list[sa.Column[Any]]) -> sa.TableClause:
    with driver(connection).cursor() as cursor:
        cursor.adbc_ingest(name, _sqlite_values(rows), mode="create", temporary=True)
    return sa.table(name, *(sa.column(column.name, column.type) for column in columns))


def _sqlite_values(rows: pa.Table) -> pa.Table:
    """Return `rows` with timestamps in SQLite's text form; ADBC writes the other types in SQLite's form."""
    for position, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type):
            # Arrow's %S includes the fraction: six digits for microseconds.
            moments = pc.strftime(rows.column(position), format=SQLITE_TIMESTAMP_FORMAT.replace(".%f", ""))
            rows = rows.set_column(position, field.name, moments)
    return rows


def _copy_out(connection: sa.Connection, query: sa.Select[Any] | sa.CompoundSelect[Any], schema: pa.Schema) -> pa.Table:
    copied = b"".join(_copied_rows(connection, query, sys.maxsize))
    return _read_copied(copied, schema) if copied else schema.empty_table()


def _copied_rows(connection: sa.Connection, query: sa.Select[Any] | sa.CompoundSelect[Any], size: int) -> Iterator[bytes]:
    """Yield the rows of `query` as CSV, at least `size` bytes at a time but for the last ones. PostgreSQL sends a message a row."""
    copied = f"COPY ({literal(connection, query)}) TO STDOUT (FORMAT csv, FORCE_QUOTE *)"
    sink = io.BytesIO()
    with driver(connection).cursor() as cursor, cursor.copy(copied) as copy:
        for row in copy:
            sink.write(row)
            if sink.tell() >= size:
                yield sink.getvalue()
                sink = io.BytesIO()
    if sink.tell():
        yield sink.getvalue()


def _read_copied(copied: bytes, schema: pa.Schema) -> pa.Table:
    types = {field.name: pa.string() if pa.types.is_timestamp(field.type) else field.type for field in schema}
    return csv.read_csv(
        pa.BufferReader(copied),
        csv.ReadOptions(column_names=schema.names, block_size=_CSV_BLOCK),
        csv.ParseOptions(newlines_in_values=True),
        csv.ConvertOptions(
            column_types=types,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )


def _cast_columns(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [_cast(rows.column(position), field.type) for position, field in enumerate(schema)]
    return pa.table(columns, schema=schema)


def _cast(values: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    if values.type == wanted:
        return values
    if values.null_count == len(values):
        return pa.chunked_array([pa.nulls(len(values), wanted)])
    return values.cast(wanted)
