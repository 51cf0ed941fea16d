"""Matches of two feeds that are as they were at the last comparison, found without matching: of records that nothing around them touched.

A link of two users that a rule named is closed by the comparison in which no rule names them any more, if both are current; one that is
open while both are current says that a rule named them. Two sections with one ID match where the first rule is the ID.

Belongs here: those two ways of knowing. Records that were touched, or match in another way, are matched by ``changed_records``.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.reconcile.outcomes import Sides
from roster_etl.engine.reconcile.rosters import Ids, Names, user_of, user_text
from roster_etl.store.warehouse import SqlPeople, SqlReconciliation


class LastingMatches:
    """The matches of two feeds that were looked up. All users, sections and courses with another match must be known before."""

    def __init__(self, session: SqlReconciliation, people: SqlPeople, pair: tuple[str, str, str], rules: Names) -> None:
        self._session, self._people, self._pair, self._rules = session, people, pair, rules
        self._found: dict[str, tuple[dict[str, str], dict[str, str]]] = {}

    def of(self, table: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Return the records of A that were found with those of B, and the records of B with those of A."""
        return self._found.get(table, ({}, {}))

    def look_up(self, table: str, ids: Sides, touched: Sides) -> None:
        """Look up the matches of records with `ids`. Args: touched: records that may match otherwise than before."""
        to_b, to_a = self._found.setdefault(table, ({}, {}))
        for side, known in enumerate((to_b, to_a)):
            wanted = sorted(ids[side] - touched[side] - known.keys())
            for a, b in self._pairs(table, side, wanted) if wanted else ():
                if a not in touched[0] and b not in touched[1]:
                    to_b[a], to_a[b] = b, a

    def _pairs(self, table: str, side: int, ids: list[str]) -> list[tuple[str, str]]:
        district_id, *sources = self._pair
        if table == "users":
            found = self._people.ruled_pairs(district_id, (sources[0], sources[1]), side, [user_of(one) for one in ids])
            return [(user_text(a), user_text(b)) for a, b in found]
        if [*self._rules[table][:1]] != [*TABLES[table].key]:
            return []
        found = self._session.ids_in_feeds(district_id, sources, table, pa.array(ids, pa.string())).to_pylist()
        return [(one, one) for one in found]

    def added_to(self, table: str, matched: Ids) -> Ids:
        """Return the matches that were found before those of a table that were `matched`, which are not exact for all records."""
        to_b, to_a = self.of(table)
        if not to_b:
            return matched
        in_a, in_b = (pa.array(list(known), pa.string()) for known in (to_b, to_a))
        others = pc.invert(pc.or_(pc.is_in(matched.in_a, value_set=in_a), pc.is_in(matched.in_b, value_set=in_b)))
        first = pa.array(list(to_a.values()), pa.string())
        return Ids(
            in_b=pa.concat_arrays([in_b, matched.in_b.filter(others)]),
            in_a=pa.concat_arrays([first, matched.in_a.filter(others)]),
        )
