"""Trace a published record, or one cell of it, to its import, file, row and raw text."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from collections.abc import Mapping as MappingABC
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from unicodedata import combining, normalize

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES, RosterTable
from roster_etl.engine.csv.header_match import Header, match_header
from roster_etl.engine.csv.reader import RawFile, read_csv
from roster_etl.engine.reconcile.person_groups import PersonRecord
from roster_etl.engine.transform.overrides import parse_edit_value
from roster_etl.frames.arrow import combine_chunks
from roster_etl.frames.folded_text import WHITE_SPACE
from roster_etl.mapping.column_plan import Const, Lookup, Mapping
from roster_etl.mapping.describe import describe_change_column, describe_column
from roster_etl.pipeline.lineage.id_history import RelatedKey, other_keys
from roster_etl.pipeline.lineage.source_imports import source_import
from roster_etl.pipeline.reconciliation.person_ids import person_document
from roster_etl.pipeline.uploads.upload import Member
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import ArchiveError, PermanentError
from roster_etl.spec.options import resolve_options
from roster_etl.spec.replacements import comparison_key, replacement_codes
from roster_etl.spec.similar_names import suggestion
from roster_etl.store.warehouse import RosterReader
from roster_etl.vendors import Vendor, vendor
from roster_etl.vendors.lineage import mappings_to

_CODED = ("source", "user_kind", "role", "enrollment_type", "entity")  # key columns with our own codes, never values of an upload


class UnknownTable(PermanentError):
    """No roster table has this name."""

    code = "unknown_table"
    template = "no table is named {table}{hint}"


class UnknownColumn(PermanentError):
    """The table has no such column, or it is not part of its key."""

    code = "unknown_column"
    template = "{table} has no {what} {column}{hint}"


class UnknownRecord(PermanentError):
    """No version of a record has this key, or several records match it."""

    code = "unknown_record"
    template = "{table} of district {district_id}: {problem}"


def trace_record(
    workspace: Workspace,
    district_id: str,
    table: str,
    given: MappingABC[str, str],
    *,
    field: str | None = None,
    source: str | None = None,
) -> dict[str, Any]:
    """Return every version of the record with the key columns `given` (an empty text is NULL), oldest first.

    Returns: ``versions``, including those under earlier and later IDs of the record, each with its key, import, file and row, who
        decided about it, and ``fields``: value, whether it was derived, the rule, and the cells that the rule reads, as they
        arrived. ``field``: only that one. ``id_changes``: the sequence of IDs. For a section also its current ``teachers``, in
        alphabetical order; for a user also ``person``: who that is across feeds.
    Raises:  UnknownTable, UnknownColumn, UnknownRecord (none, or several: the message has the key columns that distinguish them).
    """
    target = roster_table(table)
    _require_known_columns(target, "key column", given, target.key)
    _require_known_columns(target, "column", [field] if field else [], target.names)
    key = {name: value or None for name, value in given.items()}
    with workspace.warehouse.read() as session:
        found = session.roster.trace(table, key, district_id, source)
        require_one_record(target, district_id, found, given)
        about = found.slice(0, 1).to_pylist()[0]
        own_key = {name: about[name] for name in target.key}
        feed = (district_id, about["source"])
        under = other_keys(session.roster, feed, target, own_key)
        versions = _sort_versions([found, *(_versions_of_key(session.roster, feed, table, one) for one in under)])
        teachers = teachers_of(session.roster, feed, about["section_id"]) if table == "sections" else None
        person = _person(workspace, about) if table == "users" else None
    origin = _Origin(workspace, district_id, versions)
    chosen = (field,) if field else target.names
    return {
        "district_id": district_id,
        "table": table,
        "key": own_key,
        "id_changes": [_id_change(origin, one) for one in sorted(under, key=lambda one: one.change["valid_from_import"])],
        "versions": [_version(origin, target, version, chosen) for version in versions],
        **({"teachers": teachers} if teachers is not None else {}),
        **({"person": person} if person is not None else {}),
    }


def _person(workspace: Workspace, user: MappingABC[str, Any]) -> dict[str, Any]:
    with workspace.warehouse.read_people() as session:
        return person_document(session, user["district_id"], PersonRecord(user["source"], user["user_kind"], user["user_id"]))


def _versions_of_key(roster: RosterReader, feed: tuple[str, str], table: str, related_key: RelatedKey) -> pa.Table:
    found = roster.trace(table, related_key.key, *feed)
    if related_key.before is None:
        return found
    return found.filter(pc.less(found.column("valid_from"), pa.scalar(related_key.before, found.schema.field("valid_from").type)))


def _sort_versions(found: list[pa.Table]) -> list[dict[str, Any]]:
    rows = [row for table in found for row in table.to_pylist()]
    return sorted(rows, key=lambda row: (row["valid_from"], row["version_id"]))


def _id_change(origin: _Origin, related_key: RelatedKey) -> dict[str, Any]:
    number = related_key.change["valid_from_import"]
    names = ("entity", "old_id", "new_id")
    return {**{name: related_key.change[name] for name in names}, "import_id": number, "decided_by": origin.decided_by(number)}


def roster_table(name: str) -> RosterTable:
    """Return the roster table `name`. Raises UnknownTable."""
    if name not in TABLES:
        raise UnknownTable(table=name, hint=suggestion(name, TABLES, "the tables"))
    return TABLES[name]


def _require_known_columns(target: RosterTable, what: str, names: Any, known: tuple[str, ...]) -> None:
    for name in names:
        if name not in known:
            raise UnknownColumn(table=target.name, what=what, column=name, hint=suggestion(name, known, "it has"))


def require_one_record(target: RosterTable, district_id: str, found: pa.Table, given: MappingABC[str, str]) -> None:
    """Check that all versions `found` are of one record; the error names what tells them apart. Raises UnknownRecord."""
    if not found.num_rows:
        raise UnknownRecord(table=target.name, district_id=district_id, problem="no record has this key, now or before")
    differing = [
        name for name in ("source", *target.key) if name not in given and pc.count_distinct(found[name], mode="all").as_py() > 1
    ]
    if differing:
        problem = f"several records have this key; say also {', and '.join(_candidates(found, name) for name in differing)}"
        raise UnknownRecord(table=target.name, district_id=district_id, problem=problem)


def _candidates(found: pa.Table, name: str) -> str:
    """Return what distinguishes the records `found` in a key column: codes, or the number of IDs (no message may hold IDs)."""
    values = found[name].unique().to_pylist()
    if name not in _CODED:
        return f"{name} ({len(values)} different)"
    word = "--format " if name == "source" else f"{name}="
    return " or ".join(f"{word}{value or ''}" for value in sorted(values, key=str))


def _version(origin: _Origin, target: RosterTable, version: MappingABC[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    opened = origin.import_(version["valid_from_import"])
    read_in = origin.source_import(version)
    read = origin.import_(read_in)
    mapping = origin.mapping(target, version)
    record = origin.record(read_in, version["source_file"], version["source_row"])
    others = origin.lookup_cells(read_in, mapping, record) if mapping else {}
    return {
        "key": {name: version[name] for name in target.key},
        "import_id": version["valid_from_import"],
        "kind": opened["kind"],
        "run_id": opened["run_id"],
        "decided_by": origin.decided_by(version["valid_from_import"]),
        "read_in": read_in,
        "upload_id": read["upload_id"],
        "source": version["source"],
        "file": version["source_file"],
        "row": version["source_row"],
        "valid_from": version["valid_from"],
        "valid_to": version["valid_to"],
        "closed_by_import": version["valid_to_import"],
        "close_reason": version["close_reason"],
        "close_decided_by": origin.decided_by(version["valid_to_import"]) if version["valid_to_import"] is not None else None,
        "fields": {
            name: origin.manual_edit_document(target, version, name)
            or (
                _changed_field_document(name, version, target, record)
                if vendor(version["source"]).change_plan is not None
                else _field(name, version, mapping, record, others, read["options"] or {})
            )
            for name in fields
        },
        "note": record.note,
    }


def _field(
    name: str,
    version: MappingABC[str, Any],
    mapping: Mapping | None,
    record: _Record,
    lookup_cells: MappingABC[tuple[str, str], MappingABC[str, Any]],
    texts: MappingABC[str, str],
) -> dict[str, Any]:
    """Return the lineage of one field of a version.

    `lookup_cells` holds the cells that were looked up in other files, by file and column.
    """
    known = mapping is not None and name in mapping.columns
    reads = mapping.lineage()[name] if mapping and known else ()
    return {
        "value": version[name],
        "derived": name in json.loads(version["derived"] or "[]"),
        "rule": _rule(mapping, name, version["source"], texts) if mapping and known else "the format does not carry this column",
        "reads": [{**record.cell(file, column), **lookup_cells.get((file, column), {})} for file, column in reads],
    }


def _changed_field_document(name: str, version: MappingABC[str, Any], target: RosterTable, record: _Record) -> dict[str, Any]:
    """Return the lineage of a field in a delta format: the row that last changed the record; other columns may be older."""
    plan = vendor(version["source"]).change_plan
    assert plan is not None
    return {
        "value": version[name],
        "derived": name in json.loads(version["derived"] or "[]"),
        "rule": describe_change_column(plan, target.name, name) or "no row gives this column",
        "reads": [record.cell(file, column) for file, column in plan.lineage(target.name).get(name, ()) if file == record.kind],
    }


def _rule(mapping: Mapping, name: str, source: str, texts: MappingABC[str, str]) -> str:
    return describe_column(mapping, name, resolve_options(vendor(source).format, texts))


def _has_constants(mapping: Mapping, version: MappingABC[str, Any], names: Collection[str]) -> bool:
    constants = {name: e.value for name, e in mapping.columns.items() if isinstance(e, Const) and name in names}
    return all(version[name] == value for name, value in constants.items())


def _derives(mapping: Mapping, version: MappingABC[str, Any]) -> bool:
    """Return whether every value that `mapping` always derives is derived in the version."""
    derived = json.loads(version["derived"] or "[]")
    always = (name for name, expression in mapping.columns.items() if getattr(expression, "derived", False) is True)
    return all(name in derived for name in always if version[name] is not None)


@dataclass(frozen=True, kw_only=True)
class _Record:
    """One row of an archived file: the cells as they arrived, by the column's name in the spec; ``note``: why it has none.

    ``replaced``: the values that the district's replace rules substituted, by the column's name (empty: none).
    """

    kind: str | None
    cells: MappingABC[str, str | None]
    replaced: MappingABC[str, str] = field(default_factory=dict)
    note: str | None = None

    def cell(self, file: str, column: str) -> dict[str, Any]:
        """Return the cell `column` of `file` in this row; it has ``replaced`` if a replace rule substituted the text.

        ``here`` is false for a row of another file, or a column that was not uploaded.
        """
        names = [column] if "{n}" not in column else [name for name in self.cells if _is_member(name, column)]
        texts = {name: self.cells[name] for name in names if file == self.kind and name in self.cells}
        return {
            "file": file,
            "column": column,
            "here": bool(texts),
            "text": texts.get(column) if column in texts else (texts or None),
            **({"replaced": self.replaced[column]} if column in texts and column in self.replaced else {}),
        }


class _Origin:
    """Ledger and archive lookups for the origin of versions; each file is read once."""

    def __init__(self, workspace: Workspace, district_id: str, versions: Sequence[MappingABC[str, Any]] = ()) -> None:
        self.workspace, self.district_id, self.versions = workspace, district_id, versions
        self.import_ = cache(workspace.warehouse.ledger.import_)
        self._manifest = cache(self._read_manifest)
        self._member = cache(self._find_member)
        self._raw = cache(self._read)
        self._edits = cache(self._all_edits)
        self.decided_by = cache(self._who_decided)  # an import closes what another version follows

    def mapping(self, target: RosterTable, version: MappingABC[str, Any]) -> Mapping | None:
        """Return the mapping that created the version: of its file, with the same constants and the same derived columns."""
        kind = _kind(vendor(version["source"]), version["source_file"])
        of_file = (mapping for mapping in mappings_to(vendor(version["source"]), target.name) if mapping.source == kind)
        fitting = [mapping for mapping in of_file if _has_constants(mapping, version, target.key)]
        exact = [mapping for mapping in fitting if _has_constants(mapping, version, target.names) and _derives(mapping, version)]
        return next(iter([*exact, *fitting]), None)

    def source_import(self, version: MappingABC[str, Any]) -> int:
        """Return the import whose upload had the version's row: an earlier one if the row was accepted on retry."""
        return source_import(self.import_, version, lambda: self.versions)

    def manual_edit_document(self, target: RosterTable, version: MappingABC[str, Any], name: str) -> dict[str, Any] | None:
        """Return the details of a column that had a steward's edit in this version; None: it had none."""
        key = {column: version[column] for column in target.key}
        held = [
            edit
            for edit in self._edits(version["source"])
            if (edit["table_name"], edit["field"]) == (target.name, name)
            and json.loads(edit["key"]) == key
            and edit["set_at"] <= version["valid_from"]
            and (edit["cleared_at"] is None or version["valid_from"] < edit["cleared_at"])
            and parse_edit_value(target, name, edit["value"]) == version[name]
        ]
        if not held:
            return None
        return {"value": version[name], "derived": False, "rule": f"set by hand, by {held[-1]['set_by']}", "reads": []}

    def _all_edits(self, source: str) -> list[dict[str, Any]]:
        return self.workspace.warehouse.roster.overrides(self.district_id, source, ended=True)

    def _who_decided(self, import_id: int) -> str | None:
        """Return who approved an import, or made the edit of a manual import; None: no decision was needed."""
        hold = self.workspace.warehouse.ledger.hold(import_id)
        if hold is not None:
            return str(hold["decided_by"]) if hold["decision"] == "approved" else None
        manifest = self._manifest(import_id) if self.import_(import_id)["kind"] == "override" else {}
        return (manifest.get("edit") or manifest.get("renames") or {}).get("by")

    def lookup_cells(self, import_id: int, mapping: Mapping, record: _Record) -> dict[tuple[str, str], dict[str, Any]]:
        """Return the values looked up for a row in other files of its upload, by file and column: text and row number."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for step in (step for step in mapping.steps if isinstance(step, Lookup)):
            wanted = (record.cells.get(step.on) or "").strip(WHITE_SPACE)
            members = (Member(**member) for member in self._manifest(import_id).get("members", ()))
            member = next((member for member in members if member.kind == step.file and member.key), None)
            if not wanted or member is None:
                continue
            with suppress(ArchiveError):
                raw, header = self._raw(import_id, member)
                place = _lookup_position(raw, header, step, wanted)
                for column in {*step.take.values(), step.key} & set(header.positions) if place is not None else ():
                    text = raw.table.column(f"c{header.positions[column]}")[place].as_py()
                    found[step.file, column] = {"text": text, "row": raw.rows[place].as_py()}
        return found

    def record(self, import_id: int, file: str | None, row: int | None) -> _Record:
        """Return the row as it arrived."""
        member = self._member(import_id, file)
        if member is None or member.key is None or row is None:
            return _Record(
                kind=member.kind if member else None, cells={}, note="the upload was not kept, so its text cannot be shown"
            )
        try:
            raw, header = self._raw(import_id, member)
        except ArchiveError as error:
            return _Record(kind=member.kind, cells={}, note=error.message)
        place = pc.index(raw.rows, row).as_py()
        if place < 0:
            return _Record(kind=member.kind, cells={}, note="the row is not in the archived file")
        cells = {name: raw.table.column(f"c{position}")[place].as_py() for name, position in header.positions.items()}
        return _Record(kind=member.kind, cells=cells, replaced=self._replaced_cells(import_id, member, cells))

    def _replaced_cells(self, import_id: int, member: Member, cells: MappingABC[str, str | None]) -> dict[str, str]:
        """Return the values that the replace rules of that import substituted for `cells`, for each cell that they changed."""
        rules = self._manifest(import_id).get("replacements") or {}
        file = vendor(self.import_(import_id)["source"]).format.file(str(member.kind))
        found = {}
        for name, text in cells.items():
            instead = replacement_codes(file, name, rules).get(comparison_key(text or ""))
            if instead is not None and instead != (text or "").strip(WHITE_SPACE):
                found[name] = instead
        return found

    def _find_member(self, import_id: int, file: str | None) -> Member | None:
        members = (Member(**member) for member in self._manifest(import_id).get("members", ()))
        return next((member for member in members if member.name == file), None)

    def _read_manifest(self, import_id: int) -> MappingABC[str, Any]:
        try:
            return self.workspace.archive.read_manifest(self.district_id, import_id)
        except ArchiveError:
            return {}

    def _read(self, import_id: int, member: Member) -> tuple[RawFile, Header]:
        opened = self.import_(import_id)
        format_ = vendor(opened["source"]).format
        encoding = str(resolve_options(format_, opened["options"] or {})["encoding"])
        raw = read_csv(self.workspace.archive.get(str(member.key)), encoding=encoding)
        return raw, match_header(raw.header, format_.file(str(member.kind)))


def _lookup_position(raw: RawFile, header: Header, step: Lookup, wanted: str) -> int | None:
    """Return the position of the first record that the lookup finds for the value `wanted`; None: there is none."""
    needed = {step.key, *([step.where.column] if step.where else [])}
    if not needed <= set(header.positions):
        return None

    def cells(name: str) -> pa.Array:
        return pc.utf8_trim(combine_chunks(raw.table.column(f"c{header.positions[name]}")), WHITE_SPACE)

    fits = pc.equal(cells(step.key), wanted)
    if step.where:
        values = pa.array([value.casefold() for value in step.where.values], pa.string())
        fits = pc.and_(fits, pc.is_in(pc.utf8_lower(cells(step.where.column)), value_set=values))
    place = int(pc.index(pc.fill_null(fits, False), True).as_py())
    return None if place < 0 else place


def _kind(vendor_: Vendor, file_name: str | None) -> str | None:
    """Return the kind of the file `file_name` in the format."""
    name = (file_name or "").rpartition("/")[2].casefold()
    return next((file.name for file in vendor_.format.files if file.file_name.casefold() == name), None)


def _is_member(name: str, pattern: str) -> bool:
    before, _, after = pattern.partition("{n}")
    return name.startswith(before) and name.endswith(after) and name[len(before) : len(name) - len(after)].isdigit()


_SHOWN = ("user_kind", "user_id", "first_name", "last_name", "full_name")


def teachers_of(roster: RosterReader, feed: tuple[str, str], section_id: str) -> list[dict[str, Any]]:
    """Return the current teachers of a section in alphabetical order: last name, first name, ID.

    Source: Dyknow's article, the note on Sections.csv: several teachers are displayed in alphabetical order.
    """
    key = {"section_id": section_id, "role": "teacher"}
    enrollments = roster.trace("enrollments", key, *feed).to_pylist()
    now = [row for row in enrollments if row["valid_to_import"] is None]
    return sorted((_teacher(roster, feed[0], row) for row in now), key=alphabetical)


def alphabetical(person: MappingABC[str, Any]) -> tuple[str, ...]:
    """Return the sort key of a person, without case and accents."""
    return tuple(_letters(person[name]) for name in ("last_name", "first_name", "user_id"))


def _teacher(roster: RosterReader, district_id: str, enrollment: MappingABC[str, Any]) -> dict[str, Any]:
    key = {name: enrollment[name] for name in ("user_kind", "user_id")}
    versions = roster.trace("users", key, district_id, enrollment["source"]).to_pylist()
    person: dict[str, Any] = next((version for version in versions if version["valid_to_import"] is None), {})
    return {**{name: person.get(name) for name in _SHOWN}, **key, "is_primary": enrollment["is_primary"]}


def _letters(text: str | None) -> str:
    plain = "".join(letter for letter in normalize("NFKD", text or "") if not combining(letter))
    return plain.casefold()
