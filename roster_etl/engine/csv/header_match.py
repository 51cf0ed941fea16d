"""Match the header line of an upload with the columns that a file's spec declares."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from roster_etl.engine.csv.other_formats import is_oneroster_header, oneroster_text, separator_text
from roster_etl.engine.csv.redact_columns import is_secret_name
from roster_etl.spec import Column, Family, File
from roster_etl.spec.findings import Finding, strip_control_chars


@dataclass(frozen=True, kw_only=True)
class Header:
    """The result of matching an upload's header with a file's spec.

    - ``positions``: spec column name → position in the upload, in spec order (numbered family members included)
    - ``columns``: the spec columns under those names
    - ``extensions``: header as uploaded → position
    - ``families``: family pattern → its members in the upload, in order of their number
    """

    positions: dict[str, int]
    columns: dict[str, Column]
    extensions: dict[str, int]
    families: dict[str, tuple[str, ...]]
    findings: tuple[Finding, ...]
    refused: str | None


def match_header(
    header: Sequence[str],
    file: File,
    *,
    relaxed: frozenset[str] = frozenset(),
    fixed_order: bool = False,
    strict: bool = False,
) -> Header:
    """Match `header` (as uploaded) with `file`, ignoring case and order.

    Args:    relaxed: required columns that a district option made optional; fixed_order: the format fixes the order;
             strict: whatever is not as the document says refuses the file.
    Returns: positions of the recognised columns, with findings; ``refused``: the code that rejects the file, or None.
    Source:  Clever section 3 ("headers must match exactly; order does not matter; case-sensitive matching is not required").
    """
    columns, matched, extensions, hidden, unexpected = _classify_columns(header, file)
    elsewhere, unexpected = _split_elsewhere(file, unexpected)
    twice = [name for name, places in {**matched, **extensions}.items() if len(places) > 1]
    missing = [c.name for c in file.columns if c.required and c.name not in matched and c.name not in relaxed]
    is_shown = _is_header(header, matched, extensions)
    findings = [
        *_duplicate_findings([name for name in twice if is_shown or name in matched]),
        *_missing_findings(file, missing, unexpected if is_shown else (), origin=_origin(header, file)),
        *_elsewhere_findings(elsewhere),
    ]
    shown = [*_unexpected_findings(unexpected), *_secret_findings(hidden)]
    findings += shown if is_shown else _not_shown([*unexpected, *extensions, *hidden])
    refused = "duplicate_column" if twice else "missing_column" if missing else None
    if not refused and fixed_order and (order := _order_finding(file, matched)):
        findings, refused = [*findings, order], "column_order"
    slips = _slip_findings(header, file, matched, twice) if is_shown and file.exact_case else []
    if strict:
        absent = [c.name for c in file.columns if not (c.name in (*matched, *missing) or c.header_optional)]
        findings, slips = _as_refusals(findings, [*slips, *_extension_findings(matched, extensions)], absent)
        refused = refused or (slips[0].code if slips else None)
    findings += slips
    if not matched:  # perhaps the first row of data: no finding may contain its cells
        findings, refused = [_unrecognised_finding(file, header)], "unrecognised_headers"
    return Header(
        positions={name: places[0] for name, places in _in_spec_order(file, matched).items()},
        columns=columns,
        extensions={name: places[0] for name, places in extensions.items()},
        families={family.pattern: _family_members(family, matched) for family in file.families},
        findings=tuple(findings),
        refused=refused,
    )


def _as_refusals(
    findings: Sequence[Finding], slips: Sequence[Finding], absent: Sequence[str]
) -> tuple[list[Finding], list[Finding]]:
    """Return the findings without their warnings, and as findings that refuse the file: slips, warnings, columns that are absent."""
    warnings = [finding for finding in findings if finding.severity == "warning"]
    others = [finding for finding in findings if finding.severity != "warning"]
    refusing = [*slips, *warnings, *map(_absent_finding, absent)]
    return others, [replace(finding, severity="file") for finding in refusing]


def _slip_findings(header: Sequence[str], file: File, matched: dict[str, list[int]], twice: Sequence[str]) -> list[Finding]:
    """Return what is read although the document writes it otherwise: names in another case, misspelled ones, another order."""
    found: list[Finding] = []
    for name, places in matched.items():
        spelling = header[places[0]]
        column = next((c for c in file.columns if c.name == name), None)
        if column is None or spelling in (name, *column.aliases):
            continue
        if spelling.casefold() in {s.casefold() for s in column.misspellings}:
            message = "The header is no name of the document; it was read as this column."
            found.append(Finding(severity="warning", code="column_alias", field=name, message=message))
        else:
            message = "The header is written in another case than in the document."
            found.append(Finding(severity="warning", code="wrong_case", field=name, message=message))
    places = [matched[c.name][0] for c in file.columns if c.name in matched]
    if places != sorted(places) and not twice:
        message = "The columns are in another order than in the document; they were read by their names."
        found.append(Finding(severity="warning", code="column_order", message=message))
    return found


def _extension_findings(matched: Mapping[str, Sequence[int]], extensions: Mapping[str, Sequence[int]]) -> list[Finding]:
    """Return a finding if an extension column stands before a column of the format."""
    last = max((places[0] for places in matched.values()), default=-1)
    message = "The column stands before columns of the document; such columns come last."
    return [
        Finding(severity="warning", code="column_order", field=name[:80], message=message)
        for name, places in extensions.items()
        if places[0] < last
    ]


def _absent_finding(name: str) -> Finding:
    message = "The document needs every column in the header, also those whose cells may be empty."
    return Finding(severity="file", code="missing_column", field=name, message=message)


def _is_header(header: Sequence[str], matched: Collection[str], extensions: Collection[str]) -> bool:
    """Tell whether the first line is a header for certain: names of it that are not the format's may then be shown.

    A record without a header can have a cell or two that read like column names, and a record can be glued to its header. So two
    names of the format are needed (one where there is only one), and they make up half of the line.
    """
    named = sum(1 for spelling in header if spelling)
    return len(matched) >= min(2, named) and 2 * (len(matched) + len(extensions)) >= named


def _classify_columns(
    header: Sequence[str], file: File
) -> tuple[dict[str, Column], dict[str, list[int]], dict[str, list[int]], list[str], list[str]]:
    """Return the recognised columns, their positions, those of extensions, and the spellings of secret and of unknown columns."""
    known = _columns_by_spelling(file)
    columns: dict[str, Column] = {}
    matched: dict[str, list[int]] = {}
    extensions: dict[str, list[int]] = {}
    hidden: list[str] = []
    unexpected: list[str] = []
    for position, spelling in enumerate(header):
        column = known.get(spelling.casefold()) or _family_column(file.families, spelling)
        if not spelling and file.exact_case:
            continue  # a spreadsheet's trailing commas; cells under them make the row ragged, or are not read
        if column:
            columns[column.name] = column
            matched.setdefault(column.name, []).append(position)
        elif is_secret_column(spelling, file):
            hidden.append(spelling)
        elif _is_extension(file, spelling):
            extensions.setdefault(spelling, []).append(position)
        else:
            unexpected.append(spelling)
    return columns, matched, extensions, hidden, unexpected


def is_secret_column(spelling: str, file: File) -> bool:
    """Return whether the cells under a header of `file` must not be read or stored: a secret column, or one named like it."""
    column = _columns_by_spelling(file).get(spelling.casefold()) or _family_column(file.families, spelling)
    if column:
        return column.secret
    return is_secret_name(spelling, [name for c in file.columns if c.secret for name in (c.name, *c.aliases)])


def _columns_by_spelling(file: File) -> dict[str, Column]:
    return {s.casefold(): column for column in file.columns for s in (column.name, *column.aliases, *column.misspellings)}


def _family_number(family: Family, name: str) -> int | None:
    before, after = family.pattern.split("{n}")
    found = re.fullmatch(re.escape(before) + r"([1-9][0-9]{0,5})" + re.escape(after), name, re.IGNORECASE)
    if not found:
        return None
    number = int(found.group(1))
    return number if number >= family.first and (family.last is None or number <= family.last) else None


def _family_column(families: Sequence[Family], spelling: str) -> Column | None:
    for family in families:
        number = _family_number(family, spelling)
        if number is not None:
            return family.column(number)
    return None


def _family_members(family: Family, matched: dict[str, list[int]]) -> tuple[str, ...]:
    numbered = [(number, name) for name in matched if (number := _family_number(family, name)) is not None]
    return tuple(name for _, name in sorted(numbered))


def _is_extension(file: File, spelling: str) -> bool:
    folded = spelling.casefold()
    if strip_control_chars(spelling) != spelling:  # databases reject such a name
        return False
    return any(folded.startswith(prefix) and len(folded) > len(prefix) for prefix in file.extensions)


def _in_spec_order(file: File, matched: dict[str, list[int]]) -> dict[str, list[int]]:
    declared = [c.name for c in file.columns if c.name in matched]
    members = [name for family in file.families for name in _family_members(family, matched)]
    return {name: matched[name] for name in (*declared, *members)}


def _duplicate_findings(names: Sequence[str]) -> list[Finding]:
    return [
        Finding(severity="file", code="duplicate_column", field=name, message="The column stands more than once in the header.")
        for name in names
    ]


def _origin(header: Sequence[str], file: File) -> str:
    """Return a sentence about where the file seems to come from, with a blank in front; empty if nothing indicates it."""
    own = [column.name for column in file.columns]
    return oneroster_text() if is_oneroster_header(header, own) else separator_text(",".join(header))


def _missing_findings(file: File, names: Sequence[str], unexpected: Sequence[str], *, origin: str) -> list[Finding]:
    """Return a finding for each missing column.

    Args: unexpected: names in the line that fit no column, one of which may be meant; origin: where the file seems to come from.
    """
    spellings = {spelling.casefold(): spelling for spelling in unexpected if spelling}
    findings = []
    for name in names:
        near = get_close_matches(name.casefold(), spellings, n=1, cutoff=0.7)
        hint = f'; the column "{spellings[near[0]][:60]}" fits none, and may be meant' if near else ""
        option = file.column(name).optional_if_option
        otherwise = f" If the export has no such column, set the option {option}=false." if option else ""
        findings.append(
            Finding(
                severity="file",
                code="missing_column",
                field=name,
                message=f"The required column is missing{hint}. Export again with the column named as in the format.{otherwise}{origin}",
            )
        )
    return findings


def _split_elsewhere(file: File, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split `names` into columns of other versions of the format, and others."""
    known = {name.casefold() for name in file.ignored_columns}
    return [name for name in names if name.casefold() in known], [name for name in names if name.casefold() not in known]


def _elsewhere_findings(names: Sequence[str]) -> list[Finding]:
    message = "The column belongs to another version of the format, and was not read."
    return [Finding(severity="warning", code="ignored_value", field=name, message=message) for name in names]


def _not_shown(names: Sequence[str]) -> list[Finding]:
    """Return one finding for names that may be cells of a record."""
    if not names:
        return []
    message = (
        "Columns are not the format's and were not read. Their names are not shown, because the first line may hold a record. "
        "Check that the file begins with a header row, and that the header has a line of its own."
    )
    return [Finding(severity="warning", code="unexpected_column", message=message, count=len(names))]


def _unexpected_findings(names: Sequence[str]) -> list[Finding]:
    return _unread_findings(names, "The column is not one of the format's and was not read.")


def _secret_findings(names: Sequence[str]) -> list[Finding]:
    return _unread_findings(names, "The column looks like a password: it was not read, and its cells were blanked.")


def _unread_findings(names: Sequence[str], message: str) -> list[Finding]:
    return [
        Finding(severity="warning", code="unexpected_column", field=name[:80] or None, message=message)
        for name in dict.fromkeys(names)
    ]


def _order_finding(file: File, matched: dict[str, list[int]]) -> Finding | None:
    orders = ([column.name for column in file.columns], *file.other_column_orders)
    places = [[matched[name][0] for name in order if name in matched] for order in orders]
    if any(found == sorted(found) for found in places):
        return None
    expected = ", ".join(orders[0])
    return Finding(severity="file", code="column_order", message=f"The columns are in no published order; expected: {expected}.")


def _unrecognised_finding(file: File, header: Sequence[str]) -> Finding:
    origin = _origin(header, file)
    message = (
        f"The first line has none of the column names of {file.file_name}{'.' if origin else ': is it a header row?'}{origin}"
    )
    return Finding(severity="file", code="unrecognised_headers", message=message)
