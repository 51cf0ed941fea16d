"""Keep the large columns of Arrow tables in private files without a name, mapped into memory, so that a table need not be in memory.

Belongs here: which columns, writing them, and giving back the pages that were read. Does not belong here: what the tables hold.
A mapped column is an Arrow column like any other; a page that was given back is read again from its file when it is needed.
"""

from __future__ import annotations

import mmap
import tempfile
import time
import weakref
from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.frames.arrow import combine_chunks, release_memory, rows_in_order
from roster_etl.spec.errors import FolderUnavailable
from roster_etl.store.files.folder import create_private_folder

MIN_BYTES = 1 << 20
"""Tables with less stay in memory."""
_HELD = 16
"""So many times as much may be in memory before a table is put together: writing it twice would cost more than all else about it."""
_ALIGNMENT = 64
_TRIM_SECONDS = 0.2  # of CPU time


class ColumnSpool:
    """Private files for the columns of one job; each ends with the last table that has a column of it."""

    def __init__(self, scratch: Path, *, min_bytes: int = MIN_BYTES) -> None:
        self._scratch, self._min_bytes = scratch, min_bytes
        self._maps: list[tuple[int, int, weakref.ref[mmap.mmap]]] = []
        self._null_arrays: dict[pa.DataType, pa.Array] = {}
        self._trimmed = 0.0

    def collect(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema, order: Sequence[str]) -> pa.Table:
        """Return the rows of `batches` as a table in ascending order of the columns `order`; a column is in memory at a time, and a batch."""
        found = self._mapped_batches(batches, schema)
        if found.num_rows < 2:
            return found.combine_chunks()
        if rows_in_order([combine_chunks(found.column(name)) for name in order]):
            return self.each(found, lambda values: values, found.num_rows)
        places = pc.sort_indices(found.select(list(order)), sort_keys=[(name, "ascending") for name in order])
        return self.each(found, lambda values: values.take(places), found.num_rows)

    def each(self, table: pa.Table, make: Callable[[pa.Array], pa.Array], size: int) -> pa.Table:
        """Return a table of what `make` makes of each column, `size` values each; nulls alone stay such. A column is in memory at a time."""
        columns = (
            (field, self._nulls(size, field.type) if values.null_count == len(values) else make(combine_chunks(values)))
            for field, values in zip(table.schema, table.columns, strict=True)
        )
        if table.nbytes < self._min_bytes:
            return pa.table([values for _, values in columns], schema=table.schema)
        made = self._written(columns)
        self.release()
        return made

    def keep(self, table: pa.Table) -> pa.Table:
        """Return `table` with those of its columns in files that are in memory, and each column in one piece."""
        fresh = [place for place, values in enumerate(table.columns) if not self._is_kept(values)]
        if sum(table.column(place).nbytes for place in fresh) < self._min_bytes:
            return table.combine_chunks() if any(values.num_chunks > 1 for values in table.columns) else table
        kept = self.each(table.select(fresh), lambda values: values, table.num_rows)
        for place, values in zip(fresh, kept.columns, strict=True):
            table = table.set_column(place, table.schema.field(place), values)
        return table

    def release(self) -> None:
        """Give back the memory of all pages that were read, and now and then what the allocators do not need: that takes milliseconds."""
        self._release_pages()
        if (now := time.process_time()) - self._trimmed >= _TRIM_SECONDS:
            release_memory()
            self._trimmed = now

    def _release_pages(self) -> None:
        self._maps = [known for known in self._maps if known[2]() is not None]
        for _, _, reference in self._maps:
            if (mapped := reference()) is not None:
                mapped.madvise(mmap.MADV_DONTNEED)

    def _nulls(self, size: int, kind: pa.DataType) -> pa.Array:
        """Return nulls, from one file for all columns of a type."""
        known = self._null_arrays.get(kind, pa.nulls(0, kind))
        if len(known) < size:
            made = pa.nulls(max(size, 2 * len(known)), kind)
            known = (
                made if made.nbytes < self._min_bytes else self._written([(pa.field("nothing", kind), made)]).column(0).chunk(0)
            )
            self._null_arrays[kind] = known
        return known.slice(0, size)

    def _mapped_batches(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
        """Return the rows of `batches` as they come, in chunks."""
        held: list[pa.RecordBatch] = []
        size = 0
        rest = iter(batches)
        for batch in rest:
            held.append(batch)
            size += batch.nbytes
            if size >= _HELD * self._min_bytes:
                break
        if size < _HELD * self._min_bytes:
            return pa.Table.from_batches(held, schema=schema)
        with self._file() as file:
            with pa.ipc.new_stream(file, schema) as out:
                while held:
                    out.write_batch(held.pop(0))
                for batch in rest:
                    out.write_batch(batch)
            return pa.ipc.open_stream(self._map(file)).read_all()

    def _written(self, columns: Iterable[tuple[pa.Field, pa.Array]]) -> pa.Table:
        """Return a table of `columns`, each written to one file before the next is asked for; those that are in files stay there."""
        places: list[tuple[int, int]] = []
        fields: list[pa.Field] = []
        made: list[pa.Array | None] = []
        with self._file() as file:
            for field, values in columns:
                fields.append(field)
                made.append(values if self._is_mapped(values) else None)
                if made[-1] is not None:
                    continue
                start = file.seek(-(-file.tell() // _ALIGNMENT) * _ALIGNMENT)
                with pa.ipc.new_stream(file, pa.schema([field])) as out:
                    out.write_batch(pa.record_batch([values], schema=pa.schema([field])))
                places.append((start, file.tell() - start))
                self._release_pages()
            if not places:
                return pa.table(made, schema=pa.schema(fields))
            mapped = self._map(file)
        read = (pa.ipc.open_stream(mapped.slice(start, size)).read_all().column(0) for start, size in places)
        return pa.table([values if values is not None else next(read) for values in made], schema=pa.schema(fields))

    @contextmanager
    def _file(self) -> Iterator[IO[bytes]]:
        try:
            create_private_folder(self._scratch)
            with tempfile.TemporaryFile(dir=self._scratch) as file:
                yield file
        except OSError as error:
            raise FolderUnavailable(where=self._scratch, problem=error.strerror or type(error).__name__) from None

    def _map(self, file: IO[bytes]) -> pa.Buffer:
        file.flush()
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        buffer = pa.py_buffer(mapped)
        self._maps = [known for known in self._maps if known[2]() is not None]
        insort(self._maps, (buffer.address, buffer.address + buffer.size, weakref.ref(mapped)), key=_start)
        return buffer

    def _is_kept(self, values: pa.ChunkedArray) -> bool:
        """Return whether all of a column is in files that live, in one piece."""
        return values.num_chunks == 1 and self._is_mapped(values.chunk(0))

    def _is_mapped(self, values: pa.Array) -> bool:
        return all(self._holds(buffer) for buffer in values.buffers() if buffer is not None and buffer.size)

    def _holds(self, buffer: pa.Buffer) -> bool:
        before = bisect_right(self._maps, buffer.address, key=_start)
        return before > 0 and buffer.address < self._maps[before - 1][1]


def _start(known: tuple[int, int, weakref.ref[mmap.mmap]]) -> int:
    return known[0]
