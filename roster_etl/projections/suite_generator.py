"""Generate suites from the specs: the default tolerance of each rule, merged with the steward's changes.

``expectations/README.md`` describes suites for the steward.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from roster_etl.canonical import TABLES, RosterTable
from roster_etl.projections.suite_format import RULE_TYPE, Severity, SuiteError, nearest_name_hint, parse_suite
from roster_etl.spec import File, Format
from roster_etl.spec.rule_catalog import Rule, RuleCheck, file_rules, table_rules
from roster_etl.vendors import discover_vendors

FOLDER = "expectations"
EDIT = "mostly, at_least and severity may be changed; see expectations/README.md"


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """The default tolerance of a rule. ``mostly``: the share of rows that must satisfy it; None: all must.

    ``at_least``: the number of failing rows from which it is critical. ``notes``: a sentence for a data steward.
    """

    severity: Severity
    notes: str
    mostly: float | None = None
    at_least: int | None = None


FILE_TOLERANCES: Mapping[RuleCheck, Tolerance] = {
    "header": Tolerance(severity="critical", notes="The header row has every required column, and none twice."),
    "rows": Tolerance(severity="critical", notes="At least one row of the file could be used."),
    "refused": Tolerance(
        severity="critical",
        mostly=0.75,
        at_least=10,
        notes="Rows that break a rule are refused one by one; too many of them mean that the export as a whole went wrong. "
        "The options refused_rows_pct and refused_rows_min set these limits for a district.",
    ),
    "key": Tolerance(
        severity="critical",
        mostly=0.9,
        notes="A second, different row with the same key is refused; many of them mean that the export multiplied rows.",
    ),
    "required": Tolerance(severity="warning", mostly=0.95, notes="Rows where {columns} is empty are refused."),
    "form": Tolerance(severity="warning", mostly=0.95, notes="Filled cells of {columns} have the form that the document names."),
    "reference": Tolerance(severity="warning", mostly=0.9, notes="Filled cells of {columns} name a record that the upload has."),
    "unique": Tolerance(severity="warning", mostly=0.95, notes="A value of {columns} belongs to one record only."),
    "together": Tolerance(severity="warning", mostly=0.95, notes="These columns are filled together: {columns}."),
    "any_of": Tolerance(severity="warning", mostly=0.95, notes="Rows where all of these are empty are refused: {columns}."),
    "not_before": Tolerance(severity="warning", mostly=0.95, notes="The dates are in order: {columns}."),
    "found": Tolerance(severity="warning", mostly=0.9, notes="These cells name what the other file has together: {columns}."),
    "listed": Tolerance(severity="warning", mostly=0.9, notes="Filled cells of {columns} are listed in the district's table."),
    "agree": Tolerance(severity="warning", mostly=0.9, notes="Most rows keep this rule of several cells: {columns}."),
    "repeats": Tolerance(
        severity="info", mostly=0.95, notes="Rows that repeat a record agree with its first row; that one counts."
    ),
}  # "present" is missing on purpose: people decide which optional columns a district should fill
TABLE_TOLERANCES: Mapping[RuleCheck, Tolerance] = {
    "key": Tolerance(severity="critical", notes="No two records of the table have the same key."),
    "rows": Tolerance(
        severity="warning",
        mostly=0.9,
        notes="Most records of the last import are still there; the option delete_threshold_pct is what stops an import.",
    ),
}


def generated_files(
    existing: Mapping[str, str],
    *,
    formats: Iterable[Format] | None = None,
    tables: Iterable[RosterTable] = tuple(TABLES.values()),
) -> dict[str, str]:
    """Return the text of every suite file, by its path below the project's root (``expectations/clever/students.json``).

    Args:   existing: the committed files by the same paths, with hand-written expectations and the steward's changes;
            formats: default: those of all vendors.
    Raises: SuiteError: a committed file cannot be read, or a hand-written expectation names a rule that does not exist.
    """
    files = {}
    for spec in [vendor.format for vendor in discover_vendors().values()] if formats is None else formats:
        for file in spec.files:
            path = f"{FOLDER}/{spec.name}/{file.name}.json"
            files[path] = _text(_file_suite(spec, file), file_rules(file), existing.get(path), path)
    for table in tables:
        path = f"{FOLDER}/canonical/{table.name}.json"
        files[path] = _text(_table_suite(table), table_rules(table.name, event=table.holds_events), existing.get(path), path)
    return files


def check_hand_written(suite: Mapping[str, Any], where: str) -> None:
    """Check that hand-written expectations of a suite that has a name of ours are about rules that are evaluated. Raises SuiteError."""
    folder, _, name = suite["name"].partition("/")
    if folder == "canonical":
        known = table_rules(name, event=TABLES[name].holds_events)
    else:
        known = file_rules(discover_vendors()[folder].format.file(name))
    _check_known_rules(_by_hand(suite["expectations"]), known, where)


def _by_hand(expectations: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [expectation for expectation in expectations if expectation.get("meta", {}).get("origin") != "generated"]


def _file_suite(spec: Format, file: File) -> dict[str, Any]:
    return {
        "name": f"{spec.name}/{file.name}",
        "meta": {
            "about": f"{file.file_name}: {file.title}",
            "source": f"{spec.title}, {spec.version}, {file.source}",
            "edit": EDIT,
        },
        "expectations": [
            _generated_expectation(promise, _file_tolerance(promise, file))
            for promise in file_rules(file)
            if promise.check in FILE_TOLERANCES
        ],
    }


def _table_suite(table: RosterTable) -> dict[str, Any]:
    kept = table_rules(table.name, event=table.holds_events)
    return {
        "name": f"canonical/{table.name}",
        "meta": {"about": f"the table {table.name} (key: {', '.join(table.key)}), as an import would leave it", "edit": EDIT},
        "expectations": [_generated_expectation(promise, TABLE_TOLERANCES[promise.check]) for promise in kept],
    }


def _file_tolerance(rule: Rule, file: File) -> Tolerance:
    """Return the default tolerance; an optional file that is unusable as a whole gives only a warning."""
    tolerance = FILE_TOLERANCES[rule.check]
    return replace(tolerance, severity="warning") if rule.check in {"header", "rows"} and not file.required else tolerance


def _generated_expectation(rule: Rule, tolerance: Tolerance) -> dict[str, Any]:
    limits = {"mostly": tolerance.mostly, "at_least": tolerance.at_least}
    default = {name: limit for name, limit in limits.items() if limit is not None}
    column = {"column": rule.columns[0]} if len(rule.columns) == 1 else {}
    return {
        "type": RULE_TYPE,
        "kwargs": {"rule": rule.name, **column, **default},
        "severity": tolerance.severity,
        "meta": {
            "check": rule.check,
            "origin": "generated",
            "default": {**default, "severity": tolerance.severity},
            "notes": tolerance.notes.format(columns=", ".join(rule.columns)),
        },
    }


def _text(fresh: dict[str, Any], known: Sequence[Rule], existing: str | None, path: str) -> str:
    """Return the file's text: generated expectations with the steward's changes, then the hand-written ones in order."""
    committed = parse_suite(existing, path)["expectations"] if existing is not None else []
    by_hand = _by_hand(committed)
    _check_known_rules(by_hand, known, path)
    own = {expectation["kwargs"].get("rule") for expectation in by_hand}
    before = {expectation["kwargs"].get("rule"): expectation for expectation in committed}
    generated = [
        _keep_changes(expectation, before.get(expectation["kwargs"]["rule"]))
        for expectation in fresh["expectations"]
        if expectation["kwargs"]["rule"] not in own
    ]
    return json.dumps({**fresh, "expectations": [*generated, *by_hand]}, indent=2, ensure_ascii=False) + "\n"


def _keep_changes(fresh: dict[str, Any], before: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return `fresh` with the steward's changes of `before`: each limit that differs from the default written beside it."""
    if before is None:
        return fresh
    default = before["meta"].get("default", {})
    kwargs = dict(fresh["kwargs"])
    for name in ("mostly", "at_least"):
        if before["kwargs"].get(name) == default.get(name):
            continue
        kwargs.pop(name, None)
        if name in before["kwargs"]:
            kwargs[name] = before["kwargs"][name]
    severity = fresh["severity"] if before["severity"] == default.get("severity") else before["severity"]
    reason = {"reason": before["meta"]["reason"]} if "reason" in before["meta"] else {}
    return {**fresh, "kwargs": kwargs, "severity": severity, "meta": {**fresh["meta"], **reason}}


def _check_known_rules(by_hand: Sequence[Mapping[str, Any]], known: Sequence[Rule], path: str) -> None:
    rules = tuple(promise.name for promise in known)
    unknown = tuple(
        f'hand-written expectation "{expectation["kwargs"]["rule"]}": no such rule; {nearest_name_hint(expectation["kwargs"]["rule"], rules)}'
        for expectation in by_hand
        if expectation["type"] == RULE_TYPE and expectation["kwargs"]["rule"] not in rules
    )
    if unknown:
        raise SuiteError(path, unknown)
