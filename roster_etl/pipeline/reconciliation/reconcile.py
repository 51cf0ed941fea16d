"""Reconcile two feeds of a district, and bring the table of differences up to date.

Belongs here: which feeds and columns are compared, and which differences open, stay and close.
"""

from __future__ import annotations

import json
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

from roster_etl.canonical.reconciliation import CloseReason
from roster_etl.canonical.roster import TABLES
from roster_etl.engine.reconcile.rosters import (
    HELPERS,
    RULES,
    Difference,
    Roster,
    columns_to_read,
    key_json,
    reconcile_rosters,
)
from roster_etl.pipeline.reconciliation.decisions import archive_decisions
from roster_etl.pipeline.reconciliation.people import decided_people, update_links
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError, RetryableError, RosterError
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.registry.district import Reconcile
from roster_etl.store.warehouse import SqlReconciliation
from roster_etl.vendors import vendor
from roster_etl.vendors.lineage import reads_of

_LOG = logging.getLogger("roster_etl")
_READ = (*RULES, "user_roles")
_TRIES = 3
Pair = tuple[str, str, str]
"""District, feed A, feed B; A sorts before B."""


class OneFeed(PermanentError):
    """There are no two published feeds to compare."""

    code = "one_feed"
    template = "{district_id} has published {published}; reconciling needs two feeds"


class UnknownFeedName(PermanentError):
    """``--between`` names a feed of which nothing is published."""

    code = "unknown_feed"
    template = "{district_id} has published nothing in {source}; published are {known}"


class BadReconcile(PermanentError):
    """The district's file has rules or columns that do not exist."""

    code = "bad_option"
    template = "districts/{district_id}.toml: [reconcile.{part}] {table}: {problem}"


class RosterChanging(RetryableError):
    """Imports were published again and again while the rosters were compared."""

    code = "roster_moved"
    template = "{district_id}: imports were published while the rosters were compared; reconcile again"


@dataclass(frozen=True, kw_only=True)
class TableCounts:
    """What came of one table of two feeds. ``kinds``: kind of difference → how many."""

    matched: int
    by_rule: Mapping[str, int]
    kinds: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class PairResult:
    """What came of two feeds. ``imports``: feed → the import whose roster was compared; ``opened``, ``closed``: differences of this run."""

    pair: Pair
    imports: Mapping[str, int]
    tables: Mapping[str, TableCounts]
    opened: int
    closed: int


def published_pairs(workspace: Workspace, district_id: str, between: Sequence[str] | None = None) -> list[Pair]:
    """Return the pairs of feeds that can be reconciled. Raises OneFeed, UnknownFeedName."""
    with workspace.warehouse.read_reconciliation() as session:
        sources = [s for s in session.sources(district_id) if session.base_import(district_id, s) is not None]
    for name in between or ():
        if name not in sources:
            raise UnknownFeedName(district_id=district_id, source=name, known=", ".join(sorted(sources)) or "none")
    chosen = sorted(set(between or sources))
    if len(chosen) < 2:
        raise OneFeed(district_id=district_id, published=", ".join(sorted(sources)) or "nothing")
    return [(district_id, a, b) for a, b in combinations(chosen, 2)]


def reconcile(workspace: Workspace, pair: Pair, *, at: datetime | None = None, settings: Reconcile | None = None) -> PairResult:
    """Compare the current rosters of two feeds, and open and close differences and links of people in one transaction.

    Args:   at: since when what is found is so; None: see `_moment`. settings: the district's; None: those of the registry.
    Raises: BadReconcile; RosterChanging.
    """
    rules, ignored = _settings(workspace, pair[0], settings)
    compared = compared_columns(pair, ignored)
    for _ in range(_TRIES):
        with workspace.warehouse.read_people() as links, workspace.warehouse.read_reconciliation() as session:
            imports = _imports(session, pair)
            decided = decided_people(links, pair)
            a, b = (_read(session, pair[0], source) for source in pair[1:])
        results = list(reconcile_rosters(a, b, compared, rules, decided))
        found = [difference for result in results for difference in result.differences]
        with workspace.warehouse.write(directly=True) as tx:
            tx.reconciliation.lock(f"reconcile {pair[0]}")
            if _imports(tx.reconciliation, pair) != imports or decided_people(tx.people, pair) != decided:
                continue
            at = at or _moment(tx.reconciliation, pair, imports)
            new, gone = _changes(tx.reconciliation.open_identities(pair), found)
            for reason, numbers in _close_reasons(gone, new, a, b).items():
                tx.reconciliation.close_differences(numbers, reason, at)
            tx.reconciliation.add_differences(pair, [_row(difference) for difference in new], at)
            named = next(result.people for result in results if result.table == "users")
            update_links(tx.people, pair, named, at=at, import_id=max(imports.values()))
            tx.reconciliation.set_compared(pair, _state(pair, imports))
            fault_point("reconcile.commit")
        fault_point("reconcile.committed")
        identities = [_identity(difference) for difference in found]
        tables = {
            result.table: TableCounts(matched=result.matched, by_rule=result.by_rule, kinds=_kinds(identities, result.table))
            for result in results
        }
        return PairResult(pair=pair, imports=imports, tables=tables, opened=len(new), closed=len(gone))
    raise RosterChanging(district_id=pair[0])


def open_differences(workspace: Workspace, results: Iterable[PairResult]) -> list[dict[str, Any]]:
    """Return the open differences of reconciled feeds, in the order of their numbers."""
    with workspace.warehouse.read_reconciliation() as session:
        rows = [row for result in results for row in session.open_differences(result.pair)]
    return sorted(rows, key=lambda row: row["difference_id"])


def try_reconcile_published(workspace: Workspace, district_id: str, source: str) -> list[PairResult]:
    """Reconcile a feed with each other feed of its district with which it was not compared as it is now.

    A failure is logged, and stops no import.
    """
    known = district_id in workspace.registry.ids()
    if not known or len(workspace.registry.get(district_id).feeds) < 2:
        return []
    try:
        archive_decisions(workspace, district_id)
        pairs = [pair for pair in published_pairs(workspace, district_id) if source in pair[1:]]
        with workspace.warehouse.read_reconciliation() as session:
            behind = [pair for pair in pairs if not _is_compared(session, pair, _imports(session, pair))]
        return [reconcile(workspace, pair) for pair in behind]
    except OneFeed:
        return []
    except RosterError as error:
        _LOG.warning("the feeds of %s were not reconciled: %s", district_id, error.message)
        return []


def compared_columns(pair: Pair, ignored: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return, by table, the columns that the formats of both feeds fill, without keys and ignored ones."""
    found = {}
    for table in RULES:
        filled = [{target for target, _ in reads_of(vendor(source), table)} for source in pair[1:]]
        left_out = {*TABLES[table].key, *ignored.get(table, ())}
        found[table] = [name for name in TABLES[table].names if name in filled[0] & filled[1] and name not in left_out]
    return found


def registered_settings(workspace: Workspace, district_id: str) -> Reconcile:
    """Return how the feeds of a district are reconciled, as the registry has it."""
    known = district_id in workspace.registry.ids()
    return workspace.registry.get(district_id).reconcile if known else Reconcile()


def _settings(
    workspace: Workspace, district_id: str, given: Reconcile | None
) -> tuple[dict[str, tuple[str, ...]], Mapping[str, Sequence[str]]]:
    """Return the rules and the ignored columns of a district. Raises BadReconcile."""
    own = given or registered_settings(workspace, district_id)
    for part in ("match", "ignore"):
        for table, names in getattr(own, part).items():
            if table not in RULES:
                raise BadReconcile(district_id=district_id, part=part, table=table, problem=f"known are {', '.join(RULES)}")
            allowed = {*TABLES[table].names, *(HELPERS.get(table, ()) if part == "match" else ())}
            columns = [column for name in names for column in (name.split("+") if part == "match" else [name])]
            if strange := [column for column in columns if column not in allowed]:
                raise BadReconcile(district_id=district_id, part=part, table=table, problem=f"it has no column {strange[0][:80]}")
    return {**RULES, **own.match}, own.ignore


def _moment(session: SqlReconciliation, pair: Pair, imports: Mapping[str, int]) -> datetime:
    """Return since when what was found is so: since the newest import was published, if it was not compared before; else since now.

    So a rebuild from the archive gives the same history.
    """
    published = None if _is_compared(session, pair, imports) else session.published_at(list(imports.values()))
    return published or datetime.now(UTC)


def _is_compared(session: SqlReconciliation, pair: Pair, imports: Mapping[str, int]) -> bool:
    """Return whether two feeds were compared up to these imports."""
    before = session.compared(pair)
    return before is not None and (before["import_a"], before["import_b"]) == tuple(imports[source] for source in pair[1:])


def _state(pair: Pair, imports: Mapping[str, int]) -> dict[str, Any]:
    return {"import_a": imports[pair[1]], "import_b": imports[pair[2]], "settings": "", "counts": {}}


def _imports(session: SqlReconciliation, pair: Pair) -> dict[str, int]:
    return {source: session.base_import(pair[0], source) or 0 for source in pair[1:]}


def _read(session: SqlReconciliation, district_id: str, source: str) -> Roster:
    return {name: session.current_records(district_id, source, name, columns_to_read(name)) for name in _READ}


# ---- what opens and closes

Identity = tuple[Any, ...]
"""What makes a difference the same one as before: table, key_a, key_b, kind, field, value_a, value_b."""


def _identity(difference: Difference) -> Identity:
    d = difference
    return (d.table, d.key_a, d.key_b, d.kind, d.field, d.value_a, d.value_b)


def _row(difference: Difference) -> dict[str, Any]:
    row = asdict(difference)
    keys = {name: None if row[name] is None else json.loads(row[name]) for name in ("key_a", "key_b")}
    return {**{name: value for name, value in row.items() if name != "table"}, **keys, "table_name": difference.table}


def _changes(before: Sequence[Identity], found: Iterable[Difference]) -> tuple[list[Difference], dict[Identity, int]]:
    """Return the differences that are new, and the numbers of open ones that are found no more."""
    open_ = {row[1:]: int(row[0]) for row in before}
    new = [difference for difference in found if open_.pop(_identity(difference), None) is None]
    return new, open_


def _close_reasons(gone: Mapping[Identity, int], new: Sequence[Difference], a: Roster, b: Roster) -> dict[CloseReason, list[int]]:
    """Return why each difference that is found no more is closed: reason → numbers."""
    replaced = {(d.table, d.key_a, d.key_b, d.field) for d in new}
    current = _current_keys(gone, a, b)
    found: dict[CloseReason, list[int]] = {"superseded": [], "agrees": [], "gone": []}
    for (table, key_a, key_b, _, field_, *_), number in gone.items():
        reason: CloseReason = "gone"
        if (table, key_a, key_b, field_) in replaced:
            reason = "superseded"
        elif all(key is None or (table, side, key) in current for side, key in (("a", key_a), ("b", key_b))):
            reason = "agrees"
        found[reason].append(number)
    return found


def _current_keys(gone: Iterable[Identity], a: Roster, b: Roster) -> set[tuple[str, str, str]]:
    """Return which of the records of `gone` are current: table, side (a or b) and key."""
    wanted: dict[tuple[str, str], set[str]] = defaultdict(set)
    for table, key_a, key_b, *_ in gone:
        for side, key in (("a", key_a), ("b", key_b)):
            if key is not None:
                wanted[table, side].add(key)
    found = set()
    for (table, side), keys in wanted.items():
        rows = (a if side == "a" else b)[table].select(list(TABLES[table].key)).to_pylist()
        found |= {(table, side, text) for text in map(key_json, rows) if text in keys}
    return found


def _kinds(identities: Iterable[Identity], table: str) -> dict[str, int]:
    return dict(Counter(identity[3] for identity in identities if identity[0] == table))
