"""A district that takes uploads of Canvas files one after the other, without a warehouse: what the table of cases runs on.

Files are written as CSV text, blank cells are empty; a line that begins with ``!`` was refused by the judge.
"""

from __future__ import annotations

import copy
import csv
import io
import json
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.changes import (
    ChangeFile,
    ChangeInput,
    ChangeResult,
    EarlierImport,
    IdChange,
    Override,
    RowReference,
    UploadedFile,
    apply_changes,
    apply_with_retries,
    changed_tables,
    choose_baseline,
    diff_upload,
    keep_in_quarantine,
    mark_shared_ids,
)
from roster_etl.engine.planning.plan import Plan, make_plan
from roster_etl.engine.planning.removal_evidence import RemovalEvidence
from roster_etl.frames.arrow import REFUSED, ROW, combine_chunks
from roster_etl.frames.row_hashes import HASH, key_text
from roster_etl.vendors.canvas.change_rules import CHANGE_PLAN

Files = Mapping[str, str]


def frame(text: str) -> pa.Table:
    """Return judged rows of CSV text, in the spelling of the file."""
    lines = [line.strip() for line in text.strip().splitlines()]
    rows = list(csv.reader(io.StringIO("\n".join(line.removeprefix("!") for line in lines))))
    header = [name.strip() for name in rows[0]]
    cells = [[cell.strip() or None for cell in row] for row in rows[1:]]
    columns = {name: pa.array([row[at] for row in cells], pa.string()) for at, name in enumerate(header)}
    columns[ROW] = pa.array(range(2, len(cells) + 2), pa.int64())
    columns[REFUSED] = pa.array([line.startswith("!") for line in lines[1:]], pa.bool_())
    return pa.table(columns)


def kind_of(name: str) -> str:
    """Return the kind of a file: its name, up to a number that tells several apart."""
    return name.split("#", maxsplit=1)[0]


@dataclass
class Current:
    """What is current of one table."""

    table: pa.Table
    school: str | None

    def hashes(self) -> pa.Table:
        return self.table.select(["version_id", HASH])

    def rows(self, version_ids: pa.Array) -> pa.Table:
        return self.table.filter(pc.is_in(combine_chunks(self.table.column("version_id")), value_set=version_ids))

    def count_by_school(self) -> Mapping[str, int]:
        return Counter(v for v in self.table.column(self.school).to_pylist() if v) if self.school else {}

    def versions_by_key(self, keys: pa.Table) -> pa.Table:
        return self.table.filter(pc.is_in(key_text(self.table, keys.column_names), value_set=key_text(keys, keys.column_names)))

    def count(self) -> int:
        return self.table.num_rows


@dataclass
class District:
    """The current and past versions of a district, and its quarantine."""

    current: dict[str, pa.Table] = field(default_factory=dict)
    past: dict[str, pa.Table] = field(default_factory=dict)
    quarantine: list[dict[str, Any]] = field(default_factory=list)
    overrides: list[Override] = field(default_factory=list)
    uploads: int = 0
    versions: int = 0
    closed: dict[str, list[str]] = field(default_factory=dict)
    folded: ChangeResult | None = None
    noticed: list[str] = field(default_factory=list)
    data_set: list[EarlierImport] = field(default_factory=list)
    data_set_files: dict[int | None, list[UploadedFile]] = field(default_factory=dict)
    plan: Plan | None = None
    id_changes: list[IdChange] = field(default_factory=list)
    awaited: dict[RowReference, set[str]] = field(default_factory=dict)
    basis: str = ""
    tried: int = 0  # rows of the quarantine that the last upload had to try again

    def __post_init__(self) -> None:
        for name in changed_tables(CHANGE_PLAN):
            self.current[name] = TABLES[name].full_schema.empty_table()
            self.past[name] = TABLES[name].full_schema.empty_table()

    def copied(self) -> District:
        """Return a district of its own that goes on from this state. The tables are shared: Arrow tables do not change."""
        other = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, dict | list):
                setattr(other, name, value.copy())
        return other

    def upload(self, files: Files, *, refused_files: bool = False, **options: Any) -> ChangeResult:
        """Fold and publish one upload."""
        self.uploads += 1
        self.noticed = []
        sources = [ChangeFile(kind=kind_of(name), file=f"{name}.csv", rows=frame(text)) for name, text in files.items()]
        if options.get("diffing_data_set_identifier"):
            sources = self._differing(files, sources, options)
        else:
            sources = mark_shared_ids(CHANGE_PLAN, sources, self.current)
        given = ChangeInput(
            sources=[*self._retried(), *sources],
            others_wait=True,
            current=self.current,
            past=self.past,
            options=options,
            overrides=self.overrides,
            supplied=frozenset(kind_of(name) for name in files),
            refused_files=refused_files,
            id_changes=self.id_changes,
        )
        self.folded = apply_changes(CHANGE_PLAN, given)
        self._compare_with_fewer_retries(given, self.folded)
        self._publish(self.folded.tables)
        self._note_id_changes()
        self._keep(self.folded, files)
        return self.folded

    def _compare_with_fewer_retries(self, given: ChangeInput, whole: ChangeResult) -> None:
        """Require that trying those rows again which wait for something that happened comes to what trying all of them comes to."""
        basis = repr((sorted(given.options.items(), key=str), self.overrides))
        if basis == self.basis:
            quarantine = Loaded(self)
            own = [source for source in given.sources if not source.is_retried]

            def prepare(retried: Sequence[ChangeFile]) -> ChangeInput:
                return replace(given, sources=[*retried, *own])

            found = apply_with_retries(CHANGE_PLAN, own, self.current, quarantine, prepare)
            self.tried = len(quarantine.places)
            for name, table in whole.tables.items():
                assert sorted(map(repr, found.tables[name].to_pylist())) == sorted(map(repr, table.to_pylist())), name
            assert found.findings.to_pylist() == whole.findings.to_pylist()
            assert found.quarantine.to_pylist() == whole.quarantine.to_pylist()
            assert sorted(found.released) == sorted(whole.released)
            assert sorted(found.superseded) == sorted(whole.superseded)
            gone = {*quarantine.places, *found.superseded}
            self.awaited = {place: texts for place, texts in self.awaited.items() if place not in gone}
            self._note_awaited(found)
        else:
            self.awaited = {}
            self._note_awaited(whole)
        self.basis = repr((sorted(given.options.items(), key=str), self.overrides))

    def _note_awaited(self, result: ChangeResult) -> None:
        for line in result.awaited.to_pylist():
            place = (line["import_id"] or self.uploads, line["file"], line["row"])
            self.awaited.setdefault(place, set()).add(line["awaits"])

    def _note_id_changes(self) -> None:
        rows = [row for row in self.current["id_changes"].to_pylist() if row["valid_from_import"] == self.uploads]
        for row in sorted(rows, key=lambda row: (row["source_file"], row["source_row"])):
            change = IdChange(import_id=self.uploads, entity=row["entity"], old=row["old_id"], new=row["new_id"])
            self.id_changes.append(change)

    def _differing(self, files: Files, sources: list[ChangeFile], options: Mapping[str, Any]) -> list[ChangeFile]:
        """Compare with the upload that counts as the last one of the data set."""
        mine = [UploadedFile(source=s, size=len(t)) for s, t in zip(sources, files.values(), strict=True)]
        base = choose_baseline(self.data_set)
        before = self.data_set_files.get(base.import_id)
        marked = mark_shared_ids(CHANGE_PLAN, sources, self.current)
        now = [replace(file, source=source) for file, source in zip(mine, marked, strict=True)]
        found = diff_upload(CHANGE_PLAN, now, before, options)
        self.data_set.append(EarlierImport(import_id=self.uploads, published=True, outcome=found.outcome))
        self.data_set_files[self.uploads] = mine
        self.noticed = [" ".join([f.severity, f.code, str(f.file)]) for f in found.findings]
        return list(found.sources)

    def _retried(self, places: Container[RowReference] | None = None) -> list[ChangeFile]:
        found = []
        for line in self.quarantine:
            if places is not None and (line["import"], line["file"], line["row"]) not in places:
                continue
            columns = {name: pa.array([value or None], pa.string()) for name, value in line["record"].items()}
            rows = pa.table(columns | {ROW: pa.array([line["row"]], pa.int64()), REFUSED: pa.array([False])})
            source = ChangeFile(kind=line["kind"], file=line["file"], rows=rows, import_id=line["import"])
            found.append(keep_in_quarantine(source, {line["row"]} if line["code"] == "duplicate_key" else set()))
        return found

    def _keep(self, folded: ChangeResult, files: Files) -> None:
        done = {*folded.released, *folded.superseded}
        self.quarantine = [q for q in self.quarantine if (q["import"], q["file"], q["row"]) not in done]
        kinds = {f"{name}.csv": kind_of(name) for name in files}
        for line in folded.quarantine.to_pylist():
            record = json.loads(line["record"])
            self.quarantine.append(
                {
                    "import": self.uploads,
                    "kind": kinds[line["file"]],
                    "file": line["file"],
                    "row": line["row"],
                    "record": record,
                    "code": line["code"],
                }
            )

    def _publish(self, tables: Mapping[str, pa.Table]) -> None:
        current = {name: Current(table, TABLES[name].school_column) for name, table in self.current.items()}
        self.plan = make_plan(tables, current, base=1, evidence=RemovalEvidence())
        self.closed = {}
        for name, planned in self.plan.tables.items():
            target = TABLES[name]
            rows = tables[name]
            kept = rows.filter(pc.invert(rows.column(REFUSED)))
            assert len(set(key_text(kept, target.key).to_pylist())) == kept.num_rows, f"{name}: a key stands twice"
            reasons = dict(
                zip(*(combine_chunks(planned.closes.column(c)).to_pylist() for c in ("version_id", "close_reason")), strict=True)
            )
            if reasons or len(planned.opens):
                self._close(name, reasons)
                self._open(name, rows.take(planned.opens))
            wanted, there = (sorted(combine_chunks(t.column(HASH)).to_pylist()) for t in (kept, self.current[name]))
            assert target.holds_events or wanted == there, f"{name}: the plan does not lead to the state that the fold wants"

    def _close(self, name: str, reasons: Mapping[int, str]) -> None:
        table, target = self.current[name], TABLES[name]
        going = pc.is_in(combine_chunks(table.column("version_id")), value_set=pa.array(sorted(reasons), pa.int64()))
        at = pc.index_in(combine_chunks(table.column("version_id")), value_set=pa.array(list(reasons), pa.int64()))
        words = pa.array(list(reasons.values()), pa.string()).take(at)
        table = table.set_column(table.schema.get_field_index("close_reason"), "close_reason", words)
        table = table.set_column(
            table.schema.get_field_index("valid_to_import"),
            "valid_to_import",
            pa.repeat(pa.scalar(self.uploads, pa.int64()), table.num_rows),
        )
        gone = table.filter(going)
        assert gone.num_rows == len(reasons), f"{name}: a version closes that is not there"
        keys = [name for name in target.key if name != "user_kind"]
        for row in gone.to_pylist():
            words = "/".join(str(row[key] or "") for key in keys)
            self.closed.setdefault(name, []).append(f"{words} {reasons[row['version_id']]}")
        self.current[name] = self.current[name].filter(pc.invert(going))
        self.past[name] = pa.concat_tables([self.past[name], gone])

    def _open(self, name: str, rows: pa.Table) -> None:
        schema = TABLES[name].full_schema
        ids = pa.array(range(self.versions, self.versions + rows.num_rows), pa.int64())
        self.versions += rows.num_rows
        columns = {
            field.name: ids
            if field.name == "version_id"
            else pa.repeat(pa.scalar(self.uploads, pa.int64()), rows.num_rows)
            if field.name == "valid_from_import"
            else combine_chunks(rows.column(field.name))
            if field.name in rows.column_names
            else pa.nulls(rows.num_rows, field.type)
            for field in schema
        }
        self.current[name] = pa.concat_tables([self.current[name], pa.table(columns, schema=schema)])
        key = TABLES[name].key
        there = key_text(self.current[name], key)
        past = self.past[name].filter(pc.invert(pc.is_in(key_text(self.past[name], key), value_set=there)))
        last = {text: at for at, text in enumerate(key_text(past, key).to_pylist())}
        self.past[name] = past.take(pa.array(sorted(last.values()), pa.int64()))

    @property
    def waiting(self) -> set[RowReference]:
        return {(line["import"], line["file"], line["row"]) for line in self.quarantine}

    def lines(self, table: str, columns: Sequence[str]) -> list[str]:
        """Return the current records of a table, the columns joined by commas, sorted."""
        rows = self.current[table].select(list(columns)).to_pylist()
        return sorted(",".join(_cell(row[name]) for name in columns) for row in rows)


class Loaded:
    """Those rows of a district's quarantine that were loaded."""

    def __init__(self, district: District) -> None:
        self.district = district
        self.places: set[RowReference] = set()

    @property
    def sources(self) -> Sequence[ChangeFile]:
        return self.district._retried(self.places)

    def load(self, texts: pa.Array) -> bool:
        more = self.places_not_loaded(texts)
        self.places.update(more)
        return bool(more)

    def load_all(self) -> None:
        self.places.update(self.district.waiting)

    def places_not_loaded(self, texts: pa.Array) -> Sequence[RowReference]:
        asked, waiting = set(texts.to_pylist()), self.district.waiting
        found = {place for place, awaited in self.district.awaited.items() if awaited & asked and place in waiting}
        return sorted(found - self.places)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if hasattr(value, "strftime"):
        return value.strftime("%Y-%m-%dT%H:%M" if value.hour or value.minute else "%Y-%m-%d")
    return str(value).lower() if isinstance(value, bool) else str(value)


def findings(folded: ChangeResult) -> list[str]:
    """Return the findings as "severity code file row field", sorted."""
    rows = folded.findings.to_pylist()
    lines = [" ".join(str(row[n]) for n in ("severity", "code", "file", "row", "field") if row[n] is not None) for row in rows]
    return sorted(lines)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One line of the table: uploads, and what must follow from the last one.

    ``state``: table → CSV text of the columns to compare, all records; ``closed``: table → "key reason" of the versions that
    close; ``found``: findings. What is left out of ``state`` is not compared; ``closed`` and ``found`` are complete.
    """

    section: str
    name: str
    uploads: tuple[tuple[Files, Mapping[str, Any]], ...]
    state: Mapping[str, str]
    closed: Mapping[str, Sequence[str]] | None
    found: Sequence[str]


def up(files: Files | None = None, /, *, with_: Mapping[str, Any] | None = None, **more: str) -> tuple[Files, Mapping[str, Any]]:
    """Return one upload: files by kind, and its options."""
    return {**(files or {}), **more}, with_ or {}


def case(
    section: str,
    name: str,
    *uploads: tuple[Files, Mapping[str, Any]],
    state: Mapping[str, str],
    closed: Mapping[str, Sequence[str]] | None = None,
    found: Sequence[str] = (),
) -> Case:
    """Return a case."""
    return Case(section=section, name=name, uploads=uploads, state=state, closed=closed, found=found)


@lru_cache(maxsize=64)
def _after(uploads: str) -> District:
    """Return the district after `uploads` (JSON), to be copied: many cases begin with the same ones."""
    if uploads == "[]":
        return District()
    *before, (files, options) = json.loads(uploads)
    district = _after(json.dumps(before)).copied()
    district.upload(files, **options)
    return district


def run(case_: Case, overrides: Sequence[Override] = ()) -> District:
    """Upload, and compare what follows with what must. The edits of `overrides` are made before the last upload."""
    *before, (files, options) = case_.uploads
    district = _after(json.dumps(before)).copied()
    district.overrides = list(overrides)
    folded = district.upload(files, **options)
    assert sorted([*findings(folded), *district.noticed]) == sorted(case_.found)
    for table, text in case_.state.items():
        header, *lines = [line.strip() for line in text.strip().splitlines()]
        there = district.lines(table, header.split(","))
        assert there == sorted(lines), f"{table}: {there}"
    if case_.closed is not None:
        expected = {table: sorted(lines) for table, lines in case_.closed.items()}
        assert {table: sorted(lines) for table, lines in district.closed.items()} == expected
    return district
