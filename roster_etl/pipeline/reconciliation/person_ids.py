"""The person that each record is, for those who read the roster: trace, as-of queries, exports.

Belongs here: reading. A record that is linked to no other is a person of its own, with the ID that it would bring into a link.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from roster_etl.engine.reconcile.person_groups import DefaultPersonIds, PersonRecord
from roster_etl.pipeline.reconciliation.people import as_link, connected, own_ids
from roster_etl.store.warehouse import SqlPeople

_NEVER = 2**63


@dataclass(frozen=True, kw_only=True)
class PersonIds:
    """The person of each user of one feed. ``linked``: of those that are linked, by kind and ID."""

    source: str
    linked: Mapping[tuple[str, str], str]
    own: DefaultPersonIds

    def __getitem__(self, user: tuple[str, str]) -> str:
        """Return the person that a user is: kind and ID."""
        return self.linked.get(user) or self.own[PersonRecord(self.source, *user)]

    def column(self, users: pa.Table) -> pa.Array:
        """Return the person of each row, which has ``user_kind`` and ``user_id``."""
        names = zip(users.column("user_kind").to_pylist(), users.column("user_id").to_pylist(), strict=True)
        return pa.array([self[user] for user in names], pa.string())


def person_ids(session: SqlPeople, district_id: str, source: str, moment: datetime | None = None) -> PersonIds:
    """Return the people of a feed as they were known at `moment` (None: now)."""
    linked = session.person_ids(district_id, source, moment)
    return PersonIds(source=source, linked=linked, own=own_ids(session, district_id))


def persons_without(session: SqlPeople, district_id: str, kind: str, user_id: str) -> dict[str, str]:
    """Return, for each ID of a person that is made of a user's, the ID of who is left when the user is purged.

    That is the ID of the record that was known first of those that links of the person name, links that hold and former ones.
    """
    purged = {PersonRecord(source, kind, user_id) for source in session.sources(district_id)}
    with_user, without = own_ids(session, district_id), own_ids(session, district_id, without=(kind, user_id))
    found = {}
    for before in sorted({ids[record] for record in purged for ids in (with_user, without)}):
        rows = session.links_of_person(district_id, before)
        left = {record for row in rows for record in as_link(row).pair} - purged
        if left:
            first = session.first_imports(district_id, left)
            found[before] = without[min(left, key=lambda record: (first.get(record, _NEVER), record))]
    return found


def person_document(session: SqlPeople, district_id: str, record: PersonRecord) -> dict[str, Any]:
    """Return who a record is now: ``person_id``, all ``records`` of the person, and the links that say so."""
    links = [link for link in connected(session, district_id, [record]) if link.verdict == "same"]
    own = next((link.person_id for link in links if record in link.pair), None)
    links = [link for link in links if link.person_id == own] if own else []
    records = sorted({record, *(one for link in links for one in link.pair)})
    numbers = {link.number for link in links}
    rows = [row for row in session.links_of(district_id, records) if row["link_id"] in numbers]
    return {
        "person_id": own or own_ids(session, district_id)[record],
        "records": [one._asdict() for one in records],
        "links": [
            {
                "number": row["link_id"],
                **{side: read._asdict() for side, read in zip("ab", as_link(row).pair, strict=True)},
                **{name: row[name] for name in ("rule", "decided_by", "valid_from", "valid_from_import")},
            }
            for row in rows
        ],
    }
