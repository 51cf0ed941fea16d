"""Locks of a transaction on what several rows tell together: PostgreSQL's advisory locks.

The order in which a transaction takes locks: the district's, then the comparison of its feeds, then rows. Whoever writes how an import
ended, or what was decided about one, has the district's: rows of holds and counts are written in other orders by each of them.
"""

from __future__ import annotations

import hashlib

import sqlalchemy as sa

from roster_etl.canonical.ledger import IMPORTS


def lock(connection: sa.Connection, name: str) -> None:
    """Lock `name` until the transaction ends; waits for the lock. Does nothing on SQLite, which has one writer anyway."""
    if connection.dialect.name == "postgresql":
        number = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))


def lock_district_of(connection: sa.Connection, import_id: int) -> None:
    """Lock the district of an import, as `lock` does; an import that is not in the ledger has none."""
    if connection.dialect.name == "postgresql":
        district_id = connection.execute(sa.select(IMPORTS.c.district_id).where(IMPORTS.c.import_id == import_id)).scalar()
        if district_id is not None:
            lock(connection, str(district_id))


def lock_comparison(connection: sa.Connection, district_id: str) -> None:
    """Lock what is known of several feeds of a district: differences, links between people, and decisions about them."""
    lock(connection, f"reconcile {district_id}")
