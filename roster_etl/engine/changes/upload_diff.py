"""Comparing an upload with an earlier one of the same data set, so that only differences apply and what is left out is dropped.

Belongs here: which earlier upload is compared with, which rows differ, and when there is no comparing. The rows that come out
go into the fold like any others; a row that says that a record was dropped is marked (``_dropped``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.changes.change_rows import DROPPED, STATUS, Source, raw_keys
from roster_etl.engine.transform.mapper import key_text
from roster_etl.frames.arrow import REFUSED, ROW, flat
from roster_etl.mapping.change_plan import FoldPlan, RowKind
from roster_etl.spec.findings import Finding

How = Literal["whole", "diffed", "remaster", "exceeded"]
MOST_EXCEEDED = 5  # uploads in a row that differ too much: then a person must ask for a fresh start
_OURS = {ROW, REFUSED, DROPPED}


@dataclass(frozen=True, kw_only=True)
class Compared:
    """An earlier import of the same data set: whether it was published, and how it was applied."""

    import_id: int
    published: bool
    how: How


@dataclass(frozen=True, kw_only=True)
class Base:
    """What to compare with: an import (None: there is none yet), and how many of the last ones differed too much."""

    import_id: int | None
    exceeded: int

    @property
    def is_stuck(self) -> bool:
        """Whether nothing more is taken until the data set is started afresh."""
        return self.exceeded >= MOST_EXCEEDED


@dataclass(frozen=True, kw_only=True)
class Uploaded:
    """One judged file of a kind, and its size in bytes."""

    source: Source
    size: int


@dataclass(frozen=True, kw_only=True)
class Differences:
    """What is to be folded; what was noticed; how the upload was applied, as later uploads must know."""

    sources: tuple[Source, ...]
    findings: tuple[Finding, ...]
    how: How


def base_of(history: Sequence[Compared]) -> Base:
    """Choose what to compare with: the newest published upload that was diffed or a fresh start, else the first published one.

    Args: history: imports of one data set, oldest first.
    """
    done = [found for found in history if found.published]
    chain = [found for found in done if found.how in ("diffed", "remaster")]
    usable = [found for found in done if found.how != "exceeded"]
    exceeded = 0
    for found in reversed(done):
        if found.how != "exceeded":
            break
        exceeded += 1
    chosen = chain[-1] if chain else usable[0] if usable else None
    return Base(import_id=chosen.import_id if chosen else None, exceeded=exceeded)


def differences(
    plan: FoldPlan, now: Sequence[Uploaded], before: Sequence[Uploaded] | None, options: Mapping[str, Any]
) -> Differences:
    """Compare the files of an upload with those of an earlier one, kind by kind.

    A kind that only one of the two has is applied whole; a file that is left out removes nothing.
    """
    if options.get("diffing_remaster_data_set"):
        return Differences(sources=tuple(file.source for file in now), findings=(), how="remaster")
    if before is None:
        return Differences(sources=tuple(file.source for file in now), findings=(), how="whole")
    sources: list[Source] = []
    findings: list[Finding] = []
    compared: list[tuple[Uploaded, Uploaded | None]] = []
    for kind in plan.kinds:
        mine, theirs = ([file for file in files if file.source.kind == kind.name] for files in (now, before))
        pairs, problem = _pairs(mine, theirs)
        if problem:
            findings.append(_warning("diff_not_possible", problem, mine[0].source.file))
        compared += pairs
        for file, earlier in pairs:
            found, finding = _compare(kind, file, earlier, options)
            sources.append(found)
            findings += [finding] if finding else []
    exceeded = any(finding.code == "diff_threshold_exceeded" for finding in findings)
    says_nothing = any(_is_header_alone(file, earlier) for file, earlier in compared)  # the next upload looks past this one
    how: How = "exceeded" if exceeded else "whole" if says_nothing else "diffed"
    return Differences(sources=tuple(sources), findings=tuple(findings), how=how)


def _pairs(mine: list[Uploaded], theirs: list[Uploaded]) -> tuple[list[tuple[Uploaded, Uploaded | None]], str | None]:
    if not mine or not theirs:
        return [(file, None) for file in mine], None
    if len(mine) == len(theirs) == 1:
        return [(mine[0], theirs[0])], None
    by_name = {file.source.file: file for file in theirs}
    if len(mine) == len(theirs) == len(by_name) and set(by_name) == {file.source.file for file in mine}:
        return [(file, by_name[file.source.file]) for file in mine], None
    message = "The last upload had other files of this kind, so that they cannot be paired; they were read whole."
    return [(file, None) for file in mine], message


def _compare(
    kind: RowKind, file: Uploaded, earlier: Uploaded | None, options: Mapping[str, Any]
) -> tuple[Source, Finding | None]:
    if earlier is None:
        return file.source, None
    name, problem = file.source.file, _not_comparable(kind, file, earlier)
    if problem:
        return file.source, _warning("diff_not_possible", problem, name)
    limit = options.get("change_threshold")
    if limit is not None and earlier.size and abs(1 - file.size / earlier.size) * 100 > float(limit):
        return file.source, _warning("diff_threshold_exceeded", "Its size differs too much from the last one's.", name)
    rows = _differing(kind, file.source, earlier.source, options)
    most = options.get("diff_row_count_threshold")
    if most is not None and rows.num_rows > int(most):
        message = f"{rows.num_rows:,} rows differ from the last file, more than {most:,}; it was read whole."
        return file.source, _warning("diff_threshold_exceeded", message, name)
    return Source(kind=kind.name, file=name, rows=rows), None


def _is_header_alone(file: Uploaded, earlier: Uploaded | None) -> bool:
    """Whether `file` has no row where the earlier one had some: that removes nothing, and nothing is compared with it."""
    return earlier is not None and not file.source.rows.num_rows and bool(earlier.source.rows.num_rows)


def _not_comparable(kind: RowKind, file: Uploaded, earlier: Uploaded) -> str | None:
    if _is_header_alone(file, earlier):
        return "The file has a header only, which drops no record."
    mine, theirs = (_names(uploaded.source) for uploaded in (file, earlier))
    if mine != theirs:
        return "The last file had other columns; it was read whole."
    if not mine & {kind.column(name) for name in kind.key}:
        return "The columns that tell its records are missing; it was read whole."
    return None


def _names(source: Source) -> set[str]:
    return set(source.rows.column_names) - _OURS


def _differing(kind: RowKind, now: Source, before: Source, options: Mapping[str, Any]) -> pa.Table:
    """Return the rows that are new or changed, then what was dropped: with the values of then, and the status for the end."""
    names = sorted(_names(now))
    current, earlier = _last(kind, now), _last(kind, before)
    same = pc.is_in(key_text(current, names), value_set=key_text(earlier, names))
    gone = pc.invert(pc.is_in(raw_keys(kind, earlier), value_set=raw_keys(kind, now.rows)))
    new, dropped = current.filter(pc.invert(same)), earlier.filter(gone)
    new = new.append_column(DROPPED, pa.array(np.zeros(new.num_rows, dtype=bool)))
    column = kind.column(STATUS)
    if STATUS not in {given.to for given in kind.columns} or column not in names:
        return new
    dropped = dropped.filter(pc.invert(dropped.column(REFUSED)))
    dropped = dropped.filter(pc.invert(_ended(kind, dropped, column)))
    count = dropped.num_rows
    for name, values in (
        (column, pa.repeat(pa.scalar(_drop_status(kind, options)), count)),
        (ROW, pa.nulls(count, pa.int64())),
    ):
        dropped = dropped.set_column(dropped.schema.get_field_index(name), name, values)
    dropped = dropped.append_column(DROPPED, pa.array(np.ones(count, dtype=bool)))
    return pa.concat_tables([new, dropped.select(new.column_names).cast(new.schema)])


def _ended(kind: RowKind, rows: pa.Table, column: str) -> pa.Array:
    """Which rows ended their record already."""
    words = pa.array([word for word, meant in kind.statuses.items() if meant == "deleted"], pa.string())
    return pc.is_in(pc.utf8_lower(flat(rows.column(column))), value_set=words)


def _drop_status(kind: RowKind, options: Mapping[str, Any]) -> str:
    option = {"enrollments": "diffing_drop_status", "users": "diffing_user_remove_status"}.get(kind.table)
    return str(options.get(option) or "deleted") if option else "deleted"


def _last(kind: RowKind, source: Source) -> pa.Table:
    """Return the last row of each key, in the order of the file."""
    keys = raw_keys(kind, source.rows).dictionary_encode().indices.to_numpy()
    _, places = np.unique(keys[::-1], return_index=True)
    return source.rows.take(pa.array(np.sort(len(keys) - 1 - places)))


def _warning(code: str, message: str, file: str) -> Finding:
    return Finding(severity="warning", code=code, message=message, file=file)
