"""``people links``, ``link`` and ``unlink``: which records of a district's feeds are one human."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from roster_etl.cli.context import Call
from roster_etl.cli.districts import require_known_district
from roster_etl.cli.global_options import UsageError
from roster_etl.cli.options import DecidedBy, DistrictOption
from roster_etl.engine.reconcile.person_groups import PersonLink, PersonRecord
from roster_etl.pipeline.reconciliation.decide_people import PersonDecision, Verb, decide_people, linked_records, preview_decision
from roster_etl.pipeline.reconciliation.people import LinkChanges, as_link, connected
from roster_etl.pipeline.review.approve import validate_decider

_MOST = 1_000
_RECORD = "FEED:KIND:ID"
_Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why it is decided so.")]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say which links would end and begin.")]


def links(
    call: Call,
    district: DistrictOption,
    record: Annotated[str | None, typer.Option("--record", metavar=_RECORD, help="Only the person of this record.")] = None,
    past: Annotated[bool, typer.Option("--past", help="Links that have ended, too.")] = False,
) -> int:
    """List who is one human across feeds, by which rule or decision; and whom rules name without being able to say.

    Example: `roster-etl people links --district lincoln --record clever:student:1001`.
    """
    require_known_district(call, district)
    rows = _rows(call, district, record, past=past)
    document: dict[str, Any] = {
        "district_id": district,
        "people": _people(row for row in rows if row["verdict"] == "same"),
        **{f"{name}": [_link(row) for row in rows if row["verdict"] == verdict][:_MOST] for name, verdict in _OTHERS.items()},
        "ambiguous": _ambiguous(call, district) if record is None else [],
    }
    document["more"] = any(len(document[name]) > _MOST for name in ("people", "ambiguous"))
    document |= {name: document[name][:_MOST] for name in ("people", "ambiguous")}
    return call.show_result(document, *_lines(document))


def link(
    call: Call,
    records: Annotated[
        list[str], typer.Argument(metavar=f"{_RECORD} {_RECORD}", help="Two records, such as clever:student:1001.")
    ],
    district: DistrictOption,
    by: DecidedBy,
    reason: _Reason = None,
    dry_run: _DryRun = False,
) -> int:
    """Decide that two records are one human. It holds until `people unlink`, whatever rules say."""
    require_known_district(call, district)
    if len(records) != 2:
        raise UsageError(problem=f"expected two records as {_RECORD}")
    return _decide(call, "link", district, (parse_record(records[0]), parse_record(records[1])), by, reason, dry_run=dry_run)


def unlink(
    call: Call,
    words: Annotated[
        list[str], typer.Argument(metavar=f"NUMBER | {_RECORD} {_RECORD}", help="A link's number, or its two records.")
    ],
    district: DistrictOption,
    by: DecidedBy,
    reason: _Reason = None,
    dry_run: _DryRun = False,
) -> int:
    """Decide that two records are not one human. It holds until `people link`: no rule links them again."""
    require_known_district(call, district)
    if len(words) == 1 and words[0].isascii() and words[0].isdecimal():
        two = linked_records(call.workspace, district, int(words[0]))
    elif len(words) == 2:
        two = (parse_record(words[0]), parse_record(words[1]))
    else:
        raise UsageError(problem=f"expected the number of a link, or two records as {_RECORD}")
    return _decide(call, "unlink", district, two, by, reason, dry_run=dry_run)


def parse_record(text: str) -> PersonRecord:
    """Return the record that ``FEED:KIND:ID`` names. Raises UsageError, without the text."""
    parts = text.split(":", 2)
    if len(parts) != 3 or not all(parts):
        raise UsageError(problem=f"expected a record as {_RECORD}, such as clever:student:1001")
    return PersonRecord(*parts)


def _decide(
    call: Call, verb: Verb, district: str, two: tuple[PersonRecord, PersonRecord], by: str, reason: str | None, *, dry_run: bool
) -> int:
    decision = PersonDecision(district_id=district, verb=verb, one=two[0], other=two[1], by=validate_decider(by), reason=reason)
    changes = (preview_decision if dry_run else decide_people)(call.workspace, decision)
    document = {
        "decision": verb,
        "by": decision.by,
        "records": [record._asdict() for record in decision.pair],
        "changed": bool(changes.opened) and not dry_run,
        "closed": sorted(changes.closed),
        "opened": [_opened(one) for one in changes.opened],
    }
    return call.show_result(document, *_change_lines(verb, changes, dry_run=dry_run))


def _opened(link_: PersonLink) -> dict[str, Any]:
    names = ("rule", "verdict", "person_id")
    return {"a": link_.a._asdict(), "b": link_.b._asdict(), **{name: getattr(link_, name) for name in names}}


def _change_lines(verb: Verb, changes: LinkChanges, *, dry_run: bool) -> Iterator[str]:
    if not changes.opened:
        yield "It is decided so already; nothing changed."
        return
    yield f"{verb}{' (dry run, nothing changed)' if dry_run else ''}: {len(changes.closed)} links end, {len(changes.opened)} begin."
    for one in changes.opened:
        yield f"  {_text(one.a)}  {_text(one.b)}  {one.verdict} by {one.rule}{f', person {one.person_id}' if one.person_id else ''}"


_OTHERS = {"apart": "apart", "contradictions": "contradiction"}


def _rows(call: Call, district: str, record: str | None, *, past: bool) -> list[dict[str, Any]]:
    with call.warehouse.read_people() as session:
        if record is None:
            return session.links(district, past=past)
        named = parse_record(record)
        records = {named, *(one for two in connected(session, district, [named]) for one in two.pair)}
        return session.links_of(district, records, past=past)


def _people(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the people with their records and links, in the order in which they were first linked."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        person = found.setdefault(row["person_id"], {"person_id": row["person_id"], "records": [], "links": []})
        person["links"].append(_link(row))
        fresh = [record._asdict() for record in as_link(row).pair]
        person["records"] += [record for record in fresh if record not in person["records"]]
    return list(found.values())


def _link(row: Mapping[str, Any]) -> dict[str, Any]:
    read = as_link(row)
    ended = {"until": row["valid_to"].isoformat(), "close_reason": row["close_reason"]} if row["valid_to"] else {}
    return {
        "number": row["link_id"],
        "a": read.a._asdict(),
        "b": read.b._asdict(),
        "rule": row["rule"],
        "since": row["valid_from"].isoformat(),
        "import_id": row["valid_from_import"],
        **ended,
        "decided_by": row["decided_by"],
        "reason": row["reason"],
    }


def _ambiguous(call: Call, district: str) -> list[dict[str, Any]]:
    """Return the records that a rule names together with others, so that nobody can say which of them they are."""
    found = []
    with call.warehouse.read_reconciliation() as session:
        for feeds in session.compared_feeds(district):
            pair = (district, feeds["source_a"], feeds["source_b"])
            for row in session.open_differences(pair, "users"):
                if row["kind"] == "ambiguous":
                    source, key = (row["source_a"], row["key_a"]) if row["key_a"] else (row["source_b"], row["key_b"])
                    found.append({"number": row["difference_id"], "source": source, **key})
    return found


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    if not any(document[name] for name in ("people", "apart", "contradictions", "ambiguous")):
        yield "Nobody is linked."
    for person in document["people"]:
        yield f"person {person['person_id']}"
        yield from (f"  {_link_text(one)}" for one in person["links"])
    for name in _OTHERS:
        yield from (f"{name}: {_link_text(one, ' and ')}" for one in document[name])
    for one in document["ambiguous"]:
        yield f"ambiguous: {one['source']}:{one['user_kind']}:{one['user_id']} (difference {one['number']})"


def _link_text(one: Mapping[str, Any], between: str = " = ") -> str:
    ended = f", until {one['until'][:19]} ({one['close_reason']})" if "until" in one else ""
    who = f" of {one['decided_by']}" if one["decided_by"] else ""
    records = between.join(_text(PersonRecord(**one[side])) for side in "ab")
    return f"{one['number']:>6}  {records}  by {one['rule']}{who}, since {one['since'][:19]}{ended}"


def _text(record: Sequence[str]) -> str:
    return ":".join(record)
