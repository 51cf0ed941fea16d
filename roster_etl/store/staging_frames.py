"""Staging tables and documents between the steps of an import: Parquet and JSON, private, disposable, rebuilt by a rerun.

Belongs here: writing and reading them by district and import. Does not belong here: their content, or anything permanent.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from roster_etl.spec.errors import FrameError
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.files.folder import Folder
from roster_etl.store.registry.district import check_id


class FrameStore:
    """Staging in a folder (path or fsspec URL): ``<district>/<import>/<name>.parquet`` or ``.json``.

    A name is one or more plain segments joined by ``/`` (``clever/students``). Raises UnsafePath for any other.
    """

    def __init__(self, url: str) -> None:
        self._folder = Folder(url)

    def write(self, district_id: str, import_id: int, name: str, table: pa.Table) -> None:
        """Write a table, replacing one of the same name; the metadata of its schema is dropped."""
        table = table.replace_schema_metadata(None)  # pandas' metadata cannot name every Arrow type, and then breaks reading
        fault_point("frames.write")
        self._folder.write_with(
            _file(district_id, import_id, name, "parquet"), lambda out: _write_parquet(table, out), durable=False
        )
        fault_point("frames.written")

    def read(self, district_id: str, import_id: int, name: str, *, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the table as written, types included; only `columns`, if given. Raises FrameError."""
        file = _file(district_id, import_id, name, "parquet")
        try:
            source = self._folder.local_file(file) or pa.BufferReader(self._folder.read(file))
            return _read_parquet(source, columns)
        except FileNotFoundError:
            raise FrameError(name=file, problem="there is no such frame; run the step before again") from None
        except pa.ArrowInvalid:
            raise FrameError(name=file, problem="the frame is damaged; run the step before again") from None

    def write_json(self, district_id: str, import_id: int, name: str, document: Any) -> None:
        """Write a JSON document, replacing one of the same name."""
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        self._folder.write_with(
            _file(district_id, import_id, name, "json"), lambda out: out.write(text.encode("utf-8")), durable=False
        )

    def read_json(self, district_id: str, import_id: int, name: str) -> Any:
        """Return a JSON document. Raises FrameError."""
        file = _file(district_id, import_id, name, "json")
        try:
            return json.loads(self._folder.read(file))
        except FileNotFoundError:
            raise FrameError(name=file, problem="there is no such document; run the step before again") from None
        except ValueError:
            raise FrameError(name=file, problem="the document is damaged; run the step before again") from None

    def exists(self, district_id: str, import_id: int, name: str) -> bool:
        """Return whether a frame or document of this name exists."""
        return any(self._folder.exists(_file(district_id, import_id, name, kind)) for kind in ("parquet", "json"))

    def drop(self, district_id: str, import_id: int) -> None:
        """Remove all data of an import; does nothing if there is none."""
        self._folder.remove(f"{check_id(district_id)}/{int(import_id)}")

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


def _read_parquet(source: Any, columns: Sequence[str] | None) -> pa.Table:
    # buffered: reading the whole file ahead takes twice the memory of the frame
    with pq.ParquetFile(source, pre_buffer=False, buffer_size=1 << 20) as file:
        return file.read(columns=None if columns is None else list(columns))


def _write_parquet(table: pa.Table, out: Any) -> None:
    # no compression, dictionaries or statistics: frames are written once, read once or twice, and deleted
    pq.write_table(table, out, compression="none", use_dictionary=False, write_statistics=False, row_group_size=1 << 20)


def _file(district_id: str, import_id: int, name: str, kind: str) -> str:
    return f"{check_id(district_id)}/{int(import_id)}/{name}.{kind}"
