"""Reconcile two feeds of a district, and bring the table of differences up to date."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import combinations
from typing import Any

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.reconcile.rosters import HELPERS, RULES, Roster, columns_to_read
from roster_etl.pipeline.reconciliation.changes import ComparisonRules, compare_all, compare_changes, is_incremental
from roster_etl.pipeline.reconciliation.decisions import archive_decisions
from roster_etl.pipeline.reconciliation.people import decided_people
from roster_etl.pipeline.reconciliation.write_differences import write_compared
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError, RetryableError, RosterError
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.registry.district import Reconcile
from roster_etl.store.warehouse import SqlPeople, SqlReconciliation
from roster_etl.vendors import vendor
from roster_etl.vendors.lineage import reads_of

_LOG = logging.getLogger("roster_etl")
_READ = (*RULES, "user_roles")
_TRIES = 3
_SMALL = 2_000  # users of a feed: finding out what changed costs a fixed number of queries, as much as comparing this many whole
_VERSION = 2  # of how feeds are compared; after a change of it all is compared again
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
class PairResult:
    """What came of two feeds.

    ``imports``: feed → the import whose roster was compared; ``by_rule``: table → rule → pairs that it matches; ``opened``, ``closed``:
    differences of this run; ``is_full``: whether all was compared.
    """

    pair: Pair
    imports: Mapping[str, int]
    by_rule: Mapping[str, Mapping[str, int]]
    opened: int
    closed: int
    is_full: bool


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


def reconcile(
    workspace: Workspace, pair: Pair, *, at: datetime | None = None, settings: Reconcile | None = None, full: bool | None = None
) -> PairResult:
    """Compare the current rosters of two feeds, and open and close differences and links of people in one transaction.

    What was published since the last comparison is compared, with the same result as comparing all. All is compared the first time, after a
    change of rules or compared columns, where schools or terms match otherwise, and after a purge, a restore or a decision about people;
    and where both feeds are small, since that is cheaper.

    Args:   at: since when what is found is so; None: see `_moment`. settings: the district's; None: those of the registry. full: True:
            compare all; False: compare what changed even if feeds are small.
    Raises: BadReconcile; RosterChanging.
    """
    rules, ignored = _settings(workspace, pair[0], settings)
    how = ComparisonRules(pair=pair, rules=rules, compared=compared_columns(pair, ignored))
    digest = sha256(json.dumps([_VERSION, rules, how.compared], sort_keys=True).encode()).hexdigest()
    for _ in range(_TRIES):
        with workspace.warehouse.read_people() as links, workspace.warehouse.read_reconciliation() as session:
            imports, decided, state = _imports(session, pair), decided_people(links, pair), session.comparison_state(pair)
            last = None if full or not is_incremental(rules) else _known_imports(state, digest)
            if full is None and last and _are_small(session, pair):
                last = None
            found = compare_changes(session, links, how, decided, _spans(pair, last, imports)) if last else None
            rosters = None if found else [_read(session, pair[0], source) for source in pair[1:]]
        if rosters:
            found = compare_all(rosters[0], rosters[1], how, decided)
        assert found is not None
        with workspace.warehouse.write(directly=True) as tx:
            tx.reconciliation.lock(pair[0])
            if not _is_as_read(tx.reconciliation, tx.people, pair, (imports, decided, state)):
                continue
            at = at or _moment(tx.reconciliation, pair, imports)
            opened, closed = write_compared(tx, pair, found, at, max(imports.values()))
            by_rule = found.by_rule if found.is_full or state is None else _added(state["counts"], found.by_rule)
            compared = {"import_a": imports[pair[1]], "import_b": imports[pair[2]], "settings": digest, "counts": by_rule}
            tx.reconciliation.set_compared(pair, compared)
            fault_point("reconcile.commit")
        fault_point("reconcile.committed")
        return PairResult(pair=pair, imports=imports, by_rule=by_rule, opened=opened, closed=closed, is_full=found.is_full)
    raise RosterChanging(district_id=pair[0])


def _is_as_read(session: SqlReconciliation, people: SqlPeople, pair: Pair, read: tuple[Any, Any, Any]) -> bool:
    """Return whether imports, decisions about people, and what was compared last are still as they were `read`."""
    return (_imports(session, pair), decided_people(people, pair), session.comparison_state(pair)) == read


def _known_imports(state: Mapping[str, Any] | None, digest: str) -> tuple[int, int] | None:
    """Return up to which imports two feeds were compared in the same way; None: all must be compared."""
    if state is None or state["settings"] != digest:
        return None
    return int(state["import_a"]), int(state["import_b"])


def _are_small(session: SqlReconciliation, pair: Pair) -> bool:
    return all(session.count_current(pair[0], source, "users") < _SMALL for source in pair[1:])


def _spans(pair: Pair, last: tuple[int, int], imports: Mapping[str, int]) -> list[tuple[int, int]]:
    """Return, of A and of B, the last import that was compared, and the newest one."""
    return [(number, imports[source]) for number, source in zip(last, pair[1:], strict=True)]


def _added(counts: Mapping[str, Mapping[str, int]], more: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Return how many pairs each rule matches: those of `counts` and `more`; rules that match none are left out."""
    found = {}
    for table in RULES:
        was, by = counts.get(table, {}), more.get(table, {})
        sums = {rule: was.get(rule, 0) + by.get(rule, 0) for rule in (*was, *by)}
        found[table] = {rule: number for rule, number in sums.items() if number}
    return found


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
    before = session.comparison_state(pair)
    return before is not None and (before["import_a"], before["import_b"]) == tuple(imports[source] for source in pair[1:])


def _imports(session: SqlReconciliation, pair: Pair) -> dict[str, int]:
    return {source: session.base_import(pair[0], source) or 0 for source in pair[1:]}


def _read(session: SqlReconciliation, district_id: str, source: str) -> Roster:
    return {name: session.current_records(district_id, source, name, columns_to_read(name)) for name in _READ}
