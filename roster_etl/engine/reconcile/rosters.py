"""Reconcile the current rosters of two feeds, table by table: parents first, since sections are matched within schools.

Belongs here: the default rules, what they compare, and the differences that come of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.people import DECISION
from roster_etl.canonical.references import referenced_table
from roster_etl.canonical.roster import TABLES
from roster_etl.engine.reconcile.comparing import compare
from roster_etl.engine.reconcile.matching import Candidates, Decided, Matches, Rule, match

RULES: Mapping[str, tuple[str, ...]] = {
    "organizations": ("organization_id", "state_id", "number"),
    "users": ("state_id", "number", "user_id", "email"),
    "terms": ("start_at+end_at",),
    "courses": ("course_id", "number"),
    "sections": ("section_id", "course_number+number+period"),
    "enrollments": ("section+user+role",),
}
"""Table → its rules in their order, each of one or more columns. Rules on courses and sections other than the ID hold within a school."""
HELPERS: Mapping[str, tuple[str, ...]] = {"sections": ("course_number",), "enrollments": ("section", "user")}
"""Columns that rules may name besides the table's own: of the record's course; the matched section (or course), the matched user."""
WITHIN_SCHOOL = ("courses", "sections")
_SEPARATOR = "\x1f"
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_CLASSES = ("student", "other")

Names = Mapping[str, Sequence[str]]
"""Table → names of its rules, or of columns."""
User = tuple[str, str]
"""Kind and ID of a user."""
Roster = Mapping[str, pa.Table]
"""Table → current versions, with the columns of `columns_to_read`."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One difference, as the table ``reconciliation`` has it."""

    table: str
    key_a: str | None
    key_b: str | None
    organization_id: str | None
    kind: str
    field: str | None = None
    value_a: str | None = None
    value_b: str | None = None
    import_a: int | None = None
    import_b: int | None = None


@dataclass(frozen=True, kw_only=True)
class TableResult:
    """What came of one table. ``matched``: pairs; ``by_rule``: how many each rule matched.

    ``people``: of users, the pairs that a rule matched: kind and ID in A, in B, and the rule.
    """

    table: str
    matched: int
    by_rule: Mapping[str, int]
    differences: Sequence[Difference]
    people: Sequence[tuple[User, User, str]] = ()


@dataclass(frozen=True, kw_only=True)
class DecidedPeople:
    """Users of A and of B that a steward decided are the same person, or are not."""

    same: Sequence[tuple[User, User]] = ()
    apart: Sequence[tuple[User, User]] = ()


@dataclass
class RosterPair:
    """Two rosters, and the matches of the tables that were matched already: an ID of B → the same record's ID in A."""

    a: dict[str, pa.Table]
    b: dict[str, pa.Table]
    ids: dict[str, pd.Series[Any]] = field(default_factory=dict)


def ids_in_a(pair: RosterPair, table: str) -> dict[str, str]:
    """Return the records of a table that are matched: ID in B → ID in A."""
    ids = pair.ids[table]
    return dict(zip(ids.index.tolist(), ids.tolist(), strict=True))


def columns_to_read(table: str) -> tuple[str, ...]:
    """Return the columns of a current version that reconciling needs."""
    return (*TABLES[table].names, "valid_from_import", "derived")


def reconcile_rosters(
    a: Roster,
    b: Roster,
    compared: Mapping[str, Sequence[str]],
    rules: Mapping[str, Sequence[str]] = RULES,
    decided: DecidedPeople | None = None,
) -> Iterator[TableResult]:
    """Yield the result of each table that is in `rules`, parents first.

    Args: a, b: the current rosters, with every table of RULES and ``user_roles``. compared: table → the columns that are compared.
        rules: in the form of RULES. decided: what stewards decided about people.
    """
    pair = RosterPair(dict(a), dict(b))
    for table in RULES:
        known = decided_positions(pair, decided) if table == "users" and decided else None
        ruled = [(name, rule_of(pair, table, name)) for name in rules[table]]
        found = match(a[table].num_rows, b[table].num_rows, ruled, known)
        if table != "enrollments":
            pair.ids[table] = pd.Series(record_ids(a[table], table)[found.a], index=record_ids(b[table], table)[found.b])
        yield TableResult(
            table=table,
            matched=len(found.a),
            by_rule=found.by_rule,
            differences=differences_of(pair, table, found, compared.get(table, ())),
            people=matched_people(pair, found) if table == "users" else (),
        )


def decided_positions(pair: RosterPair, decided: DecidedPeople) -> Decided:
    """Return the decisions about users that are in both rosters, by position."""
    at_a, at_b = ({one: at for at, one in enumerate(record_ids(side["users"], "users"))} for side in (pair.a, pair.b))
    same, apart = (
        {(at_a[a], at_b[b]) for a, b in ((_SEPARATOR.join(x), _SEPARATOR.join(y)) for x, y in pairs) if a in at_a and b in at_b}
        for pairs in (decided.same, decided.apart)
    )
    return Decided(same=same, apart=apart)


def matched_people(pair: RosterPair, found: Matches) -> list[tuple[User, User, str]]:
    """Return the pairs of users that a rule matched: kind and ID in A, in B, and the rule."""
    sides = ((pair.a, found.a), (pair.b, found.b))
    users = [
        zip(*(side["users"].column(name).take(pa.array(at)).to_pylist() for name in ("user_kind", "user_id")), strict=True)
        for side, at in sides
    ]
    return [(a, b, rule) for a, b, rule in zip(*users, found.rules, strict=True) if rule != DECISION]


# ---- rules


def rule_of(pair: RosterPair, table: str, name: str) -> Rule:
    """Return a rule of a table, for `match`. Rules of tables that come later need ``ids`` of those before."""

    def values() -> tuple[Candidates, Candidates]:
        return _candidates(pair, table, name, in_b=False), _candidates(pair, table, name, in_b=True)

    return values


def _candidates(pair: RosterPair, table: str, rule: str, *, in_b: bool) -> Candidates:
    side = pair.b if in_b else pair.a
    names = rule.split("+")
    columns = [_rule_column(pair, table, name, in_b=in_b) for name in names]
    own_id = TABLES[table].key[-1]
    if table in WITHIN_SCHOOL and names != [own_id]:
        columns.insert(0, _mapped(pair, "organizations", text_column(side[table], "organization_id"), in_b=in_b))
    values = _joined(columns)
    positions = np.arange(len(values), dtype=np.int64)
    if table != "users":
        return Candidates(positions=positions, values=values)
    return _by_class(positions, values, _classes(side))


def _rule_column(pair: RosterPair, table: str, name: str, *, in_b: bool) -> pd.Series[Any]:
    side = pair.b if in_b else pair.a
    if table == "sections" and name == "course_number":
        courses = pd.Series(text_column(side["courses"], "number").to_numpy(), index=text_column(side["courses"], "course_id"))
        return _lookup(courses, text_column(side["sections"], "course_id"))
    if table == "enrollments" and name == "user":
        return _mapped(pair, "users", pd.Series(record_ids(side["enrollments"], "users")), in_b=in_b)
    if table == "enrollments" and name == "section":
        sections = _mapped(pair, "sections", text_column(side["enrollments"], "section_id"), in_b=in_b)
        courses = _mapped(pair, "courses", text_column(side["enrollments"], "course_id"), in_b=in_b)
        default = text_column(side["enrollments"], "section_id").isna()  # the course's default section
        return ("section " + sections).where(~default, "course " + courses)
    values = text_column(side[table], name)
    return lower_ascii(values) if name == "email" else values


def _by_class(positions: npt.NDArray[np.int64], values: npt.NDArray[Any], classes: npt.NDArray[Any]) -> Candidates:
    """Match students with students and others with others; who may be either has a value as each."""
    found = []
    for name in _CLASSES:
        chosen = (classes == name) | (classes == "")
        texts = pd.Series(values[chosen], dtype=object)
        found.append((positions[chosen], _or_none(name + _SEPARATOR + texts, texts.notna().to_numpy())))
    return Candidates(positions=np.concatenate([one[0] for one in found]), values=np.concatenate([one[1] for one in found]))


def _classes(side: Roster) -> npt.NDArray[Any]:
    """Return for each user ``student``, ``other``, or the empty text where neither kind, roles nor enrollments tell, or they tell both."""
    kinds = text_column(side["users"], "user_kind").to_numpy()
    classes = np.where(kinds == "student", "student", np.where(kinds == "user", "", "other")).astype(object)
    if not (kinds == "user").any():
        return classes
    roles = [
        (pd.Series(record_ids(side[name], "users")), text_column(side[name], "role")) for name in ("user_roles", "enrollments")
    ]
    users = pd.concat([ids for ids, _ in roles], ignore_index=True)
    is_student = pd.concat([role for _, role in roles], ignore_index=True) == "student"
    ids = pd.Series(record_ids(side["users"], "users"))
    learns, other = ids.isin(set(users[is_student])).to_numpy(), ids.isin(set(users[~is_student])).to_numpy()
    unsure = kinds == "user"
    classes[unsure & learns & ~other] = "student"
    classes[unsure & other & ~learns] = "other"
    return classes


# ---- differences


def differences_of(pair: RosterPair, table: str, found: Matches, columns: Sequence[str]) -> list[Difference]:
    """Return the differences of the records of a table, as they match."""
    return [*_missing(pair, table, found), *_disagreeing(pair, table, found, columns)]


def _missing(pair: RosterPair, table: str, found: Matches) -> Iterator[Difference]:
    for side, positions, kind, in_b in (
        (pair.a, found.only_a, "missing_in_b", False),
        (pair.b, found.only_b, "missing_in_a", True),
        (pair.a, found.ambiguous_a, "ambiguous", False),
        (pair.b, found.ambiguous_b, "ambiguous", True),
    ):
        rows = side[table].take(pa.array(positions))
        schools = _schools(side, table, positions)
        for key, school, number in zip(_keys(rows, table), schools, rows.column("valid_from_import").to_pylist(), strict=True):
            place: dict[str, Any] = {"key_a": None, "key_b": key, "import_b": number}
            if not in_b:
                place = {"key_a": key, "key_b": None, "import_a": number}
            yield Difference(table=table, kind=kind, organization_id=school, **place)


def _disagreeing(pair: RosterPair, table: str, found: Matches, columns: Sequence[str]) -> Iterator[Difference]:
    a, b = pair.a[table].take(pa.array(found.a)), pair.b[table].take(pa.array(found.b))
    mapped = {}
    for name in columns:
        reference = referenced_table(table, name)
        if reference is not None and reference[0] in pair.ids:
            mapped[name] = _as_arrow(_mapped(pair, reference[0], text_column(b, name), in_b=True))
    for one in compare(a, b, columns, mapped):
        keys_a, keys_b = _keys(a.take(pa.array(one.pairs)), table), _keys(b.take(pa.array(one.pairs)), table)
        imports = [side.column("valid_from_import").take(pa.array(one.pairs)).to_pylist() for side in (a, b)]
        schools = _schools(pair.a, table, found.a[one.pairs])
        for at, (value_a, value_b) in enumerate(zip(one.values_a, one.values_b, strict=True)):
            yield Difference(
                table=table,
                key_a=keys_a[at],
                key_b=keys_b[at],
                organization_id=schools[at],
                kind=one.kind,
                field=one.field,
                value_a=value_a,
                value_b=value_b,
                import_a=imports[0][at],
                import_b=imports[1][at],
            )


def _keys(rows: pa.Table, table: str) -> list[str]:
    return [key_json(row) for row in rows.select(list(TABLES[table].key)).to_pylist()]


def key_json(key: Mapping[str, Any]) -> str:
    """Return the key of a record as compact JSON."""
    return _COMPACT.encode(key)


def _schools(side: Roster, table: str, positions: npt.NDArray[np.int64]) -> list[str | None]:
    """Return the school of each record; of a user the first one by ID."""
    if not len(positions):
        return []
    if table == "users":
        roles = pd.Series(
            text_column(side["user_roles"], "organization_id").to_numpy(), index=record_ids(side["user_roles"], "users")
        )
        found = _lookup(roles.dropna().sort_values(), pd.Series(record_ids(side["users"], "users")[positions]))
    elif TABLES[table].school_column:
        found = text_column(side[table].take(pa.array(positions)), str(TABLES[table].school_column))
    else:
        return [None] * len(positions)
    return [None if pd.isna(value) else str(value) for value in found]


# ---- values


def user_text(user: User) -> str:
    """Return kind and ID of a user as one text, as `record_ids` has it."""
    return _SEPARATOR.join(user)


def user_of(text: str) -> User:
    """Return kind and ID of a user from one text."""
    kind, _, user_id = text.partition(_SEPARATOR)
    return kind, user_id


def text_column(table: pa.Table, name: str) -> pd.Series[Any]:
    """Return a column as text objects; None is NULL."""
    return pd.Series(table.column(name).cast(pa.string()).to_pandas(), dtype=object)


def lower_ascii(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return texts with the letters A to Z in lower case, as ``lower`` of both databases has them."""
    return pd.Series(pc.ascii_lower(pa.array(values, pa.string(), from_pandas=True)).to_pandas(), dtype=object)


def record_ids(rows: pa.Table, of: str) -> npt.NDArray[Any]:
    """Return the ID by which `rows` name a record of table `of`; a user's has the kind before it."""
    names = ("user_kind", "user_id") if of == "users" else (TABLES[of].key[-1],)
    texts = [rows.column(name).cast(pa.string()) for name in names]
    ids: npt.NDArray[Any] = (texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, _SEPARATOR)).to_numpy()
    return ids


def _mapped(pair: RosterPair, of: str, ids: pd.Series[Any], *, in_b: bool) -> pd.Series[Any]:
    """Return IDs of records of table `of` as feed A has them; None where B's record was not matched."""
    return _lookup(pair.ids[of], ids) if in_b else ids


def _lookup(values: pd.Series[Any], ids: pd.Series[Any]) -> pd.Series[Any]:
    found = values[~values.index.duplicated()].reindex(ids.to_numpy())
    return pd.Series(_or_none(found, found.notna().to_numpy()), dtype=object)


def _joined(columns: Sequence[pd.Series[Any]]) -> npt.NDArray[Any]:
    """Return the columns as one text per record; None where one of them is NULL."""
    joined, known = columns[0].reset_index(drop=True), columns[0].notna().to_numpy()
    for column in columns[1:]:
        known = known & column.notna().to_numpy()
        joined = joined + _SEPARATOR + column.reset_index(drop=True)
    return _or_none(joined, known)


def _or_none(values: pd.Series[Any], known: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    """Return `values` with None where they are not `known`."""
    texts = np.array(values, dtype=object)
    texts[~known] = None
    return texts


def _as_arrow(values: pd.Series[Any]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, pa.string(), from_pandas=True)])
