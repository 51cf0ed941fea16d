"""What the tables beside the roster say of one person, and removing exactly that: overrides, differences, decisions, links."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from roster_etl.canonical.ledger import OVERRIDES
from roster_etl.canonical.people import PERSON_LINKS
from roster_etl.canonical.reconciliation import FEED_DECISIONS, RECONCILIATION

USER_ID_COLUMNS = ("user_id", "observer_id", "student_id", "associated_user_id", "contact_user_id")
KINDS_SHARING_ID_COLUMNS = ("student", "user")
"""The kinds of users whose IDs are in columns that have no kind column beside them."""
_AT_ONCE = 500
_SIDES = ("a", "b")


def names_person(key: Mapping[str, Any] | None, kind: str, user_id: str) -> bool:
    """Return whether the key of a record names a user, and not only another record with the same ID."""
    for name in USER_ID_COLUMNS:
        if key is None or key.get(name) != user_id:
            continue
        if key["user_kind"] == kind if name == "user_id" and "user_kind" in key else kind in KINDS_SHARING_ID_COLUMNS:
            return True
    return False


def has_overrides(connection: sa.Connection, district_id: str, kind: str, user_id: str) -> bool:
    """Return whether a steward edited a record of a user."""
    return any(_overrides(connection, district_id, kind, user_id))


def remove_overrides(connection: sa.Connection, district_id: str, kind: str, user_id: str) -> None:
    """Delete the edits of a user's records."""
    _delete(connection, OVERRIDES.c.override_id, list(_overrides(connection, district_id, kind, user_id)))


def _overrides(connection: sa.Connection, district_id: str, kind: str, user_id: str) -> Iterator[int]:
    query = sa.select(OVERRIDES.c.override_id, OVERRIDES.c.key).where(OVERRIDES.c.district_id == district_id)
    for number, key in connection.execute(query.where(_mentions(OVERRIDES.c.key, user_id))):
        if names_person(json.loads(key), kind, user_id):
            yield number


def remove_differences(
    connection: sa.Connection,
    district_id: str,
    kind: str,
    user_id: str,
    values: Collection[str],
    columns: Sequence[tuple[str, str]],
) -> None:
    """Delete the differences of a user's records, and those that say one of the person's `values` (lower case) in `columns` of others.

    Args: columns: table and column.
    """
    of = RECONCILIATION.c
    query = sa.select(of.difference_id, of.key_a, of.key_b).where(of.district_id == district_id)
    found = connection.execute(query.where(sa.or_(*(_mentions(key, user_id) for key in (of.key_a, of.key_b)))))
    _delete(connection, of.difference_id, [row[0] for row in found if any(names_person(key, kind, user_id) for key in row[1:])])
    for table, column in columns if values else ():
        said = (sa.func.lower(value).in_(sorted(values)) for value in (of.value_a, of.value_b))
        named = sa.and_(of.district_id == district_id, of.table_name == table, of.field == column, sa.or_(*said))
        connection.execute(sa.delete(RECONCILIATION).where(named))


def remove_decisions(connection: sa.Connection, district_id: str, kind: str, user_id: str) -> None:
    """Remove what the decisions of a district say about a user; one that is about nothing more goes."""
    of = FEED_DECISIONS.c
    query = sa.select(of.decision_id, of.about).where(of.district_id == district_id, _mentions(of.about, user_id))
    for number, about in connection.execute(query).all():
        rest = [one for one in about if not _is_about(one, kind, user_id)]
        if not rest:
            connection.execute(sa.delete(FEED_DECISIONS).where(of.decision_id == number))
        elif rest != about:
            connection.execute(sa.update(FEED_DECISIONS).where(of.decision_id == number).values(about=rest))


def _is_about(one: Mapping[str, Any], kind: str, user_id: str) -> bool:
    """Return whether one entry of a decision, a difference or a pair of records, names a user."""
    return any(names_person(one.get(name), kind, user_id) for name in ("key_a", "key_b", "a", "b"))


def remove_links(connection: sa.Connection, district_id: str, kind: str, user_id: str, persons: Mapping[str, str]) -> None:
    """Delete a user's links, and give the others of the same people, which hold or did, the ID of a record that stays.

    Args: persons: ID of a person that is the user's → the ID of who is left.
    """
    of = PERSON_LINKS.c
    for which in (of.valid_to.is_(None), of.valid_to.is_not(None)):
        for side in _SIDES:
            named = (of.district_id == district_id, of[f"user_kind_{side}"] == kind, of[f"user_id_{side}"] == user_id, which)
            connection.execute(sa.delete(PERSON_LINKS).where(*named))
    for before, after in sorted(persons.items()):
        for which in (of.valid_to.is_(None), of.valid_to.is_not(None)):
            same = (of.district_id == district_id, of.person_id == before, which)
            connection.execute(sa.update(PERSON_LINKS).where(*same).values(person_id=after))


def _mentions(column: sa.Column[Any], user_id: str) -> sa.ColumnElement[bool]:
    """Return the condition that a column of JSON has the ID as a text somewhere; which of these name the user is looked at one by one."""
    written = {json.dumps(user_id, ensure_ascii=ascii_) for ascii_ in (False, True)}
    text = sa.type_coerce(column, sa.Text())
    return sa.or_(*(text.contains(one, autoescape=True) for one in sorted(written)))


def _delete(connection: sa.Connection, column: sa.Column[Any], numbers: Sequence[int]) -> None:
    for start in range(0, len(numbers), _AT_ONCE):
        connection.execute(sa.delete(column.table).where(column.in_(numbers[start : start + _AT_ONCE])))
