"""Reconcile the current rosters of two feeds, table by table: parents first, since sections are matched within schools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.people import DECISION
from roster_etl.canonical.references import referenced_table
from roster_etl.canonical.roster import TABLES
from roster_etl.engine.reconcile.comparing import compare
from roster_etl.engine.reconcile.matching import Candidates, Decided, Matches, Rule, match
from roster_etl.frames.arrow import combine_chunks

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
_CLASSES = ("student", "other")
_ESCAPED = r'["\\\x00-\x1f]'
"""What JSON writes otherwise."""

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


@dataclass(frozen=True, kw_only=True)
class Ids:
    """The IDs of matched records, pair by pair: as B has them, and as A has them."""

    in_b: pa.Array
    in_a: pa.Array


@dataclass
class RosterPair:
    """Two rosters, and the IDs of the tables that were matched already."""

    a: dict[str, pa.Table]
    b: dict[str, pa.Table]
    ids: dict[str, Ids] = field(default_factory=dict)
    _classes: dict[bool, tuple[list[pa.Table], npt.NDArray[Any]]] = field(default_factory=dict)

    def classes(self, *, in_b: bool) -> npt.NDArray[Any]:
        """Return `_classes` of the users of one side; each rule asks for them."""
        side = self.b if in_b else self.a
        tables = [side[name] for name in ("users", "user_roles", "enrollments")]
        known = self._classes.get(in_b)
        if known is None or any(one is not other for one, other in zip(known[0], tables, strict=True)):
            known = self._classes[in_b] = tables, _classes(side)
        return known[1]


def ids_in_a(pair: RosterPair, table: str) -> dict[str, str]:
    """Return the records of a table that are matched: ID in B → ID in A."""
    ids = pair.ids[table]
    return dict(zip(ids.in_b.to_pylist(), ids.in_a.to_pylist(), strict=True))


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
            pair.ids[table] = matched_ids(pair, table, found)
        yield TableResult(
            table=table,
            matched=len(found.a),
            by_rule=found.by_rule,
            differences=differences_of(pair, table, found, compared.get(table, ())),
            people=matched_people(pair, found) if table == "users" else (),
        )


def matched_ids(pair: RosterPair, table: str, found: Matches) -> Ids:
    """Return the IDs of the records of a table that match."""
    in_a, in_b = (id_texts(side[table], table).take(pa.array(at)) for side, at in ((pair.a, found.a), (pair.b, found.b)))
    return Ids(in_b=in_b, in_a=in_a)


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
    return _by_class(positions, values, pair.classes(in_b=in_b))


def _rule_column(pair: RosterPair, table: str, name: str, *, in_b: bool) -> pa.Array:
    side = pair.b if in_b else pair.a
    if table == "sections" and name == "course_number":
        courses = side["courses"]
        return _lookup(text_column(courses, "course_id"), text_column(courses, "number"), text_column(side[table], "course_id"))
    if table == "enrollments" and name == "user":
        return _mapped(pair, "users", id_texts(side[table], "users"), in_b=in_b)
    if table == "enrollments" and name == "section":
        own = text_column(side[table], "section_id")
        sections = _mapped(pair, "sections", own, in_b=in_b)
        courses = _mapped(pair, "courses", text_column(side[table], "course_id"), in_b=in_b)
        named = (pc.binary_join_element_wise(word, ids, "") for word, ids in (("course ", courses), ("section ", sections)))
        return pc.if_else(pc.is_null(own), *named)  # without a section: the course's default section
    values = text_column(side[table], name)
    return pc.ascii_lower(values) if name == "email" else values  # the letters A to Z, as `lower` of both databases


def _by_class(positions: npt.NDArray[np.int64], values: pa.Array, classes: npt.NDArray[Any]) -> Candidates:
    """Match students with students and others with others; who may be either has a value as each."""
    found = []
    for name in _CLASSES:
        chosen = (classes == name) | (classes == "")
        found.append((positions[chosen], pc.binary_join_element_wise(name, values.filter(pa.array(chosen)), _SEPARATOR)))
    return Candidates(positions=np.concatenate([one[0] for one in found]), values=pa.concat_arrays([one[1] for one in found]))


def _classes(side: Roster) -> npt.NDArray[Any]:
    """Return for each user ``student``, ``other``, or the empty text where neither kind, roles nor enrollments tell, or they tell both."""
    kinds = text_column(side["users"], "user_kind").to_numpy(zero_copy_only=False)
    unsure = kinds == "user"
    classes = np.where(kinds == "student", "student", np.where(unsure, "", "other")).astype(object)
    if not unsure.any():
        return classes
    names = ("user_roles", "enrollments")
    users = pa.concat_arrays([id_texts(side[name], "users") for name in names])
    is_student = pc.fill_null(pc.equal(pa.concat_arrays([text_column(side[name], "role") for name in names]), "student"), False)
    ids = id_texts(side["users"], "users")
    learns, other = (
        pc.is_in(ids, value_set=users.filter(chosen)).to_numpy(zero_copy_only=False)
        for chosen in (is_student, pc.invert(is_student))
    )
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
        for key, school, number in zip(
            keys_json(rows, table), schools, rows.column("valid_from_import").to_pylist(), strict=True
        ):
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
            mapped[name] = pa.chunked_array([_mapped(pair, reference[0], text_column(b, name), in_b=True)])
    for one in compare(a, b, columns, mapped):
        keys_a, keys_b = (keys_json(side.take(pa.array(one.pairs)), table) for side in (a, b))
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


def keys_json(rows: pa.Table, table: str) -> list[str]:
    """Return `key_json` of each record of a table."""
    names = TABLES[table].key
    texts = [text_column(rows, name) for name in names]
    if any(pc.any(pc.match_substring_regex(column, _ESCAPED)).as_py() for column in texts):
        return [key_json(row) for row in rows.select(list(names)).to_pylist()]
    parts: list[Any] = []
    for name, column in zip(names, texts, strict=True):
        quoted = pc.binary_join_element_wise('"', column, '"', "")
        parts += [f'{"," if parts else "{"}"{name}":', pc.fill_null(quoted, "null")]
    keys: list[str] = pc.binary_join_element_wise(*parts, "}", "").to_pylist()
    return keys


def key_json(key: Mapping[str, str | None]) -> str:
    """Return the key of a record as compact JSON."""
    parts = (f"{encode_basestring(name)}:{'null' if text is None else encode_basestring(text)}" for name, text in key.items())
    return f"{{{','.join(parts)}}}"


def _schools(side: Roster, table: str, positions: npt.NDArray[np.int64]) -> list[str | None]:
    """Return the school of each record; of a user the first one by ID."""
    if not len(positions):
        return []
    if table == "users":
        schools, users = text_column(side["user_roles"], "organization_id"), id_texts(side["user_roles"], "users")
        first = pc.sort_indices(schools).slice(0, len(schools) - schools.null_count)  # NULL is sorted last
        of = id_texts(side["users"], "users").take(pa.array(positions))
        found = _lookup(users.take(first), schools.take(first), of)
    elif TABLES[table].school_column:
        found = text_column(side[table].take(pa.array(positions)), str(TABLES[table].school_column))
    else:
        return [None] * len(positions)
    schools_of: list[str | None] = found.to_pylist()
    return schools_of


# ---- values


def user_text(user: User) -> str:
    """Return kind and ID of a user as one text, as `record_ids` has it."""
    return _SEPARATOR.join(user)


def user_of(text: str) -> User:
    """Return kind and ID of a user from one text."""
    kind, _, user_id = text.partition(_SEPARATOR)
    return kind, user_id


def text_column(table: pa.Table, name: str) -> pa.Array:
    """Return a column as text."""
    return combine_chunks(table.column(name).cast(pa.string()))


def record_ids(rows: pa.Table, of: str) -> npt.NDArray[Any]:
    """Return the ID by which `rows` name a record of table `of`; a user's has the kind before it."""
    ids: npt.NDArray[Any] = id_texts(rows, of).to_numpy(zero_copy_only=False)
    return ids


def id_texts(rows: pa.Table, of: str) -> pa.Array:
    """Return `record_ids` as an array of Arrow."""
    names = ("user_kind", "user_id") if of == "users" else (TABLES[of].key[-1],)
    texts = [text_column(rows, name) for name in names]
    return texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, _SEPARATOR)


def _mapped(pair: RosterPair, of: str, ids: pa.Array, *, in_b: bool) -> pa.Array:
    """Return IDs of records of table `of` as feed A has them; NULL where B's record was not matched."""
    return _lookup(pair.ids[of].in_b, pair.ids[of].in_a, ids) if in_b else ids


def _lookup(keys: pa.Array, values: pa.Array, wanted: pa.Array) -> pa.Array:
    """Return the value of the first key that is each of `wanted`; NULL where none is, and for NULL."""
    return values.take(pc.index_in(wanted, value_set=keys, skip_nulls=True))


def _joined(columns: Sequence[pa.Array]) -> pa.Array:
    """Return the columns as one text per record, another one for other values; NULL where one of them is NULL."""
    if len(columns) == 1:
        return columns[0]
    lengths = (pc.binary_length(column).cast(pa.string()) for column in columns)
    parts = (part for pair in zip(lengths, columns, strict=True) for part in pair)
    return pc.binary_join_element_wise(*parts, _SEPARATOR)
