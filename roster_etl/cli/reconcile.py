"""The command `reconcile`: where the feeds of a district disagree, and what people decide about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, cast, get_args

import typer

from roster_etl.canonical.roster import TABLES
from roster_etl.cli.context import Call
from roster_etl.cli.districts import require_known_district
from roster_etl.cli.exit_codes import HELD
from roster_etl.cli.global_options import UsageError
from roster_etl.cli.options import DecidedBy
from roster_etl.engine.reconcile.rosters import RULES
from roster_etl.pipeline.lineage.trace import UnknownTable
from roster_etl.pipeline.reconciliation.decide import Verb, decide
from roster_etl.pipeline.reconciliation.reconcile import PairResult, open_differences, published_pairs
from roster_etl.pipeline.reconciliation.reconcile import reconcile as reconcile_pair
from roster_etl.pipeline.review.approve import validate_decider
from roster_etl.spec.similar_names import suggestion

_MOST = 1_000
_VERBS = get_args(Verb)
_ZERO = ("missing_in_a", "missing_in_b", "differs", "only_one_knows", "ambiguous")


def reconcile(  # noqa: PLR0917 - typer reads an option a parameter
    call: Call,
    by: DecidedBy,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[accept|ignore|reopen NUMBER…]", help="Decide about differences by their numbers; empty: compare."
        ),
    ] = None,
    district: Annotated[str | None, typer.Option("--district", metavar="ID", help="The district.")] = None,
    between: Annotated[
        str | None, typer.Option("--between", metavar="A,B", help="Two feeds, by format; default: every two that are published.")
    ] = None,
    table: Annotated[
        list[str] | None, typer.Option("--table", metavar="TABLE", help="Only differences of this table; may be repeated.")
    ] = None,
    values: Annotated[bool, typer.Option("--values", help="Print the values of both sides, too.")] = False,
    fail_over: Annotated[
        int | None, typer.Option("--fail-over", metavar="N", min=0, help="Exit code 4 if more than N differences are open.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why it is decided so.")] = None,
    full: Annotated[
        bool,
        typer.Option("--full", help="Compare all records again, not only those that imports touched since the last comparison."),
    ] = False,
) -> int:
    """Compare the current rosters of a district's feeds: who is missing in one, and where values differ. Changes no roster.

    Records are the same by an exact rule that names one record on each side; nothing is matched by likeness. Examples:
    `roster-etl reconcile --district lincoln --between clever,canvas`; `roster-etl reconcile accept 41 42 --by "A. Steward"`.
    """
    if words:
        return _decide(call, words, by, reason)
    if district is None:
        raise UsageError(problem="--district: which district's feeds are compared")
    require_known_district(call, district)
    _require_tables(table or ())
    results = [
        reconcile_pair(call.workspace, pair, full=full or None)
        for pair in published_pairs(call.workspace, district, _feeds(between))
    ]
    document = _document(call, district, results, table, values=values)
    call.show_result(document, *_lines(document))
    return HELD if fail_over is not None and document["open"] > fail_over else 0


def _require_tables(names: Iterable[str]) -> None:
    for name in names:
        if name not in RULES:
            raise UnknownTable(table=name, hint=suggestion(name, RULES, "the tables"))


def _feeds(between: str | None) -> list[str] | None:
    if between is None:
        return None
    names = [name.strip() for name in between.split(",")]
    if len(set(names)) != 2 or not all(names):
        raise UsageError(problem="--between: two formats with a comma between them, such as clever,canvas")
    return names


def _decide(call: Call, words: Sequence[str], by: str, reason: str | None) -> int:
    verb, *numbers = words
    if verb not in _VERBS or not numbers or not all(number.isdecimal() and number.isascii() for number in numbers):
        raise UsageError(problem="expected accept, ignore or reopen, then the numbers of differences")
    name = validate_decider(by)
    decided = sorted({int(number) for number in numbers})
    decide(call.workspace, cast("Verb", verb), decided, by=name, reason=reason)
    return call.show_result({"decision": verb, "numbers": decided, "by": name}, f"{verb}: {', '.join(map(str, decided))}.")


def _document(
    call: Call, district: str, results: Sequence[PairResult], tables: Sequence[str] | None, *, values: bool
) -> dict[str, Any]:
    chosen = tables or list(RULES)
    rows = [row for row in open_differences(call.workspace, results) if row["table_name"] in chosen]
    imports = {source: number for result in results for source, number in result.imports.items()}
    decisions = [row["decision"] for row in rows]
    return {
        "district_id": district,
        "feeds": [{"source": source, "import_id": number} for source, number in sorted(imports.items())],
        "tables": {name: _counts(results, rows, name) for name in TABLES if name in chosen},
        "open": decisions.count(None),
        "accepted": decisions.count("accepted"),
        "ignored": decisions.count("ignored"),
        "differences": [_difference(row, values=values) for row in rows[:_MOST]],
        "more": len(rows) > _MOST,
    }


def _counts(results: Sequence[PairResult], rows: Sequence[Mapping[str, Any]], table: str) -> dict[str, Any]:
    by_rule: dict[str, int] = {}
    for result in results:
        for rule, number in result.by_rule.get(table, {}).items():
            by_rule[rule] = by_rule.get(rule, 0) + number
    kinds = [row["kind"] for row in rows if row["table_name"] == table]
    return {"matched": sum(by_rule.values()), **{kind: kinds.count(kind) for kind in _ZERO}, "by_rule": by_rule}


def _difference(row: Mapping[str, Any], *, values: bool) -> dict[str, Any]:
    names = ("kind", "field", "key_a", "key_b", "organization_id")
    shown = {"value_a": row["value_a"], "value_b": row["value_b"]} if values else {}
    return {
        "number": row["difference_id"],
        "source_a": row["source_a"],
        "source_b": row["source_b"],
        "table": row["table_name"],
        **{name: row[name] for name in names},
        **shown,
        "since": row["first_seen"].isoformat(),
        "import_a": row["import_a"],
        "import_b": row["import_b"],
        "decision": row["decision"],
    }


def _lines(document: Mapping[str, Any]) -> list[str]:
    feeds = " and ".join(f"{feed['source']} (import {feed['import_id']})" for feed in document["feeds"])
    lines = [f"{document['district_id']}: {feeds}"]
    for name, counts in document["tables"].items():
        told = ", ".join(f"{counts[kind]} {kind.replace('_', ' ')}" for kind in _ZERO if counts[kind])
        lines.append(f"{name}: {counts['matched']} matched{', ' + told if told else ''}")
    lines.append(f"{document['open']} open, {document['accepted']} accepted, {document['ignored']} ignored")
    for one in document["differences"]:
        values = [one.get(name) for name in ("value_a", "value_b")]
        told = "" if values == [None, None] else f": {' / '.join('-' if value is None else value for value in values)}"
        keys = " / ".join(_key(one[name]) for name in ("key_a", "key_b"))
        lines.append(f"{one['number']:>6}  {one['table']} {one['kind']} {one['field'] or ''} {keys}{told}".rstrip())
    return lines


def _key(key: Mapping[str, Any] | None) -> str:
    return "-" if key is None else " ".join("" if value is None else str(value) for value in key.values())
