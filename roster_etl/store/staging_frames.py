"""Tables between the steps of an import: Arrow and JSON, private, disposable, rebuilt by a rerun."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from pathlib import Path
from threading import RLock
from typing import Any, BinaryIO

import pyarrow as pa

from roster_etl.frames.arrow import LONG, only_value, repeated
from roster_etl.spec.errors import FolderUnavailable, FrameError
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.files.folder import Folder, require_safe_name
from roster_etl.store.files.temp_folders import scratch_folder
from roster_etl.store.files.urls import redact
from roster_etl.store.registry.district import check_id
from roster_etl.store.staging_container import Container, ContainerDamaged

_SAME, _ORDER = b"one value", b"columns"  # metadata of a staged table
_LOST = "nothing of this name was left by this version; run the step before again, or the whole upload: `roster-etl rerun --district {0} --import {1}`"
_DAMAGED = "it is damaged; run the step before again, or the whole upload: `roster-etl rerun --district {0} --import {1}`"


class FrameStore:
    """Staging in a folder (path or fsspec URL): ``<district>/<import>/<container>.arrows``.

    In a folder, an entry is there once it was written. In an object store, a container is one object that is put as a whole by
    `flush`; until then it lies in a private folder below `scratch`. Names are plain segments joined by ``/``. Raises UnsafePath for
    any other.
    """

    def __init__(self, url: str, scratch: Path | None = None) -> None:
        self._folder = Folder(url)
        self._scratch = scratch or Path(tempfile.gettempdir())
        self._closing = ExitStack()
        self._copies: Path | None = None
        self._known: dict[str, Container] = {}
        self._own: set[str] = set()
        self._unsent: set[str] = set()
        self._fetched: dict[str, str] = {}
        self._fresh: set[tuple[str, int]] = set()
        self._lock = RLock()
        self.apart = False

    def use_separate_containers(self) -> None:
        """Have every container that is written replaced as a whole: other processes write other containers of the same import."""
        self.apart = True

    def begin(self, district_id: str, import_id: int) -> None:
        """Have what is written from now on for an import replace what an earlier attempt left, a container at a time."""
        self._fresh.add((district_id, import_id))
        self._own.clear()

    def write(self, district_id: str, import_id: int, container: str, name: str, table: pa.Table) -> None:
        """Write a table, replacing one of the same name; the metadata of its schema is not kept."""
        table = table.replace_schema_metadata(None)  # pandas' notes there are of no use to whoever reads it
        fault_point("frames.write")
        self._append(district_id, import_id, container, name, lambda out: _write_table(table, out))
        fault_point("frames.written")

    def read(self, district_id: str, import_id: int, container: str, name: str) -> pa.Table:
        """Return the table as it was written, types included. Raises FrameError."""
        with _explained(district_id, import_id, container, name):
            return _table(self._content(district_id, import_id, container, name))

    def write_json(self, district_id: str, import_id: int, container: str, name: str, document: Any) -> None:
        """Write a JSON document, replacing one of the same name. A data class in it is an object with its fields."""
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=_fields_of).encode("utf-8")
        self._append(district_id, import_id, container, name, lambda out: out.write(text))

    def read_json(self, district_id: str, import_id: int, container: str, name: str) -> Any:
        """Return a JSON document. Raises FrameError."""
        with _explained(district_id, import_id, container, name):
            return json.loads(self._content(district_id, import_id, container, name).to_pybytes())

    def exists(self, district_id: str, import_id: int, container: str, name: str) -> bool:
        """Return whether there is a table or a document of this name. Raises FrameError: the container is damaged."""
        with _explained(district_id, import_id, container, name):
            found = self._fetch(_path(district_id, import_id, container))
            return found is not None and found.has(require_safe_name(name))

    def flush(self) -> None:
        """Put every container that was written since the last time into the object store; in a folder they are there already.

        Raises: StoreUnavailable, StoreRefused: one could not be put.
        """
        with self._lock:
            unsent = sorted(self._unsent)
        for path in unsent:
            with self._local(path).locked() as file:
                self._folder.put(path, file)
                with self._lock:
                    self._unsent.discard(path)

    def close(self) -> None:
        """Forget what was written or read, and remove the local copies. The store can still be used."""
        with self._lock:
            self._closing.close()
            self._copies = None
            for known in (self._known, self._own, self._unsent, self._fetched, self._fresh):
                known.clear()

    def drop(self, district_id: str, import_id: int) -> None:
        """Remove all data of an import; does nothing if there is none."""
        self._folder.remove(f"{check_id(district_id)}/{int(import_id)}")

    def drop_containers(self, district_id: str, import_id: int, stage: str) -> None:
        """Remove the containers of one stage of an import: the one of that name, and those of its steps (``<stage>.<step>``)."""
        folder = f"{check_id(district_id)}/{int(import_id)}"
        for name in self._folder.names(folder):
            if name.startswith(f"{stage}."):
                self._forget(f"{folder}/{name}")
                self._folder.remove(f"{folder}/{name}")

    def _forget(self, path: str) -> None:
        with self._lock:
            for known in (self._known, self._fetched):
                known.pop(path, None)
            for paths in (self._own, self._unsent):
                paths.discard(path)

    def drop_district(self, district_id: str) -> None:
        """Remove all data of a district."""
        self._folder.remove(check_id(district_id))

    def imports_by_district(self) -> dict[str, tuple[int, ...]]:
        """Return the imports that have frames, by district."""
        return {name: numbers for name in self._folder.names() if (numbers := self._imports(name))}

    def _imports(self, district_id: str) -> tuple[int, ...]:
        return tuple(sorted(int(number) for number in self._folder.names(district_id) if number.isdigit()))

    def remove_old_imports(self, district_id: str | None = None, *, newest: int = 3, exclude: Collection[int] = ()) -> int:
        """Remove the frames of all but the `newest` imports of a district, or of each. Returns how many imports lost theirs.

        ``exclude``: imports whose frames stay in any case.
        """
        removed = 0
        for name in self._folder.names() if district_id is None else (check_id(district_id),):
            imports = self._imports(name)
            for import_id in set(imports[: max(0, len(imports) - newest)]) - set(exclude):
                self.drop(name, import_id)
                removed += 1
        return removed

    def _append(self, district_id: str, import_id: int, container: str, name: str, fill: Callable[[BinaryIO], Any]) -> None:
        path = _path(district_id, import_id, container)
        is_first = path not in self._own
        if is_first:
            self.flush()  # the stage before is over
        replace = is_first and (self.apart or (district_id, import_id) in self._fresh)
        found = self._local(path) if replace else self._fetch(path) or self._local(path)
        try:
            try:
                found.append(require_safe_name(name), fill, replace=replace)
            except ContainerDamaged:  # what is in it is lost in any case
                found.append(require_safe_name(name), fill, replace=True)
        except OSError as error:
            raise FolderUnavailable(where=redact(self._folder.url), problem=error.strerror or type(error).__name__) from None
        with self._lock:
            self._own.add(path)
            if not self._folder.is_local:
                self._unsent.add(path)

    def _content(self, district_id: str, import_id: int, container: str, name: str) -> pa.Buffer:
        found = self._fetch(_path(district_id, import_id, container))
        if found is None:
            raise FileNotFoundError(name)
        return found.read(require_safe_name(name))

    def _fetch(self, path: str) -> Container | None:
        """Return the container at `path`, None if there is none; of an object store, a local copy that is up to date."""
        if not self._folder.is_local and path not in self._own:
            version = self._folder.version(path)
            if version is None:
                return None
            if self._fetched.get(path) != version:
                copies = Folder(str(self._copy_folder()))
                copies.write_with(path, lambda out: _copy_pieces(self._folder.read_chunks(path), out), durable=False)
                self._fetched[path] = version
        return self._local(path)

    def _local(self, path: str) -> Container:
        with self._lock:
            if path not in self._known:
                local = self._folder.local_file(path) if self._folder.is_local else self._copy_folder() / path
                assert local is not None
                self._known[path] = Container(local)
            return self._known[path]

    def _copy_folder(self) -> Path:
        with self._lock:
            if self._copies is None:
                self._copies = self._closing.enter_context(scratch_folder(self._scratch))
            return self._copies


def _path(district_id: str, import_id: int, container: str) -> str:
    return require_safe_name(f"{check_id(district_id)}/{int(import_id)}/{container}.arrows")


def _write_table(table: pa.Table, out: BinaryIO) -> None:
    # no compression: tables are written once, read once or twice, and thrown away
    table = _without_repetition(table)
    with pa.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table)


def _without_repetition(table: pa.Table) -> pa.Table:
    """Return a long table with its columns of one value as a row in its metadata: of some tables they are most of the bytes."""
    if table.num_rows < LONG:
        return table
    others = [
        field.name for field in list(table.schema)[1:] if _has_one_spelling(field.type)
    ]  # one column says how many rows there are
    alike = {name: value for name in others if (value := only_value(table.column(name))) is not None}
    row = pa.table([pa.repeat(value, 1) for value in alike.values()], names=[*alike])
    order = json.dumps(table.column_names).encode()
    return table.drop_columns([*alike]).replace_schema_metadata({_SAME: _encoded(row), _ORDER: order}) if alike else table


def _has_one_spelling(kind: pa.DataType) -> bool:
    """Return whether equal cells of a type are the same: 0.0 equals -0.0."""
    return pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_temporal(kind)


def _with_repetition(table: pa.Table) -> pa.Table:
    """Return the table that `_without_repetition` was given."""
    about = table.schema.metadata or {}
    if _SAME not in about:
        return table
    row = pa.ipc.open_stream(about[_SAME]).read_all()
    columns = {name: repeated(row.column(name)[0], table.num_rows) for name in row.column_names}
    columns |= {name: table.column(name) for name in table.column_names}
    return pa.table({name: columns[name] for name in json.loads(about[_ORDER])})


def _encoded(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


def _table(content: pa.Buffer) -> pa.Table:
    try:
        table = _with_repetition(pa.ipc.open_stream(content).read_all())
        table.validate()
    except (pa.ArrowInvalid, OSError) as error:  # Arrow raises either
        raise ContainerDamaged from error
    return table


def _fields_of(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in fields(record)}


def _copy_pieces(pieces: Iterator[bytes], out: BinaryIO) -> None:
    out.writelines(pieces)


@contextmanager
def _explained(district_id: str, import_id: int, container: str, name: str) -> Iterator[None]:
    """Raise FrameError where an entry is missing or damaged, with what to do about it."""
    where = f"{district_id}/{import_id}/{container}: {name}"
    try:
        yield
    except FileNotFoundError:
        raise FrameError(name=where, problem=_LOST.format(district_id, import_id)) from None
    except (ContainerDamaged, ValueError):
        raise FrameError(name=where, problem=_DAMAGED.format(district_id, import_id)) from None
