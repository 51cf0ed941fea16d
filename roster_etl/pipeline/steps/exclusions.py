"""Parse the selectors of removals that are left out of a plan (``--leave-out``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.planning.removal_evidence import Exclusions
from roster_etl.spec.errors import PermanentError

SCHOOL = "school:"


class BadLeaveOut(PermanentError):
    """A selector is neither a table nor a school."""

    code = "bad_leave_out"
    template = "to be left out: a table ({tables}) or school:ID, the id of a school"


class NothingLeftOut(PermanentError):
    """A selector matches nothing that the plan removes. Ignoring it would publish a removal that was meant to be left out."""

    code = "nothing_left_out"
    template = "{word}: the plan removes nothing of it; `roster-etl holds show {import_id}` lists tables and schools by id"


def parse_exclusions(selectors: Sequence[str]) -> Exclusions:
    """Parse `selectors`: table names, or schools as ``school:ID``. Raises BadLeaveOut."""
    schools = frozenset(word.removeprefix(SCHOOL) for word in selectors if word.startswith(SCHOOL))
    tables = frozenset(word for word in selectors if not word.startswith(SCHOOL))
    if tables - set(TABLES) or "" in schools:
        raise BadLeaveOut(tables=", ".join(TABLES))
    return Exclusions(tables=tables, schools=schools)


def require_effective_exclusions(selectors: Sequence[str], plan: Mapping[str, Any], import_id: int) -> None:
    """Check that each of `selectors` matches a removal in `plan`, as stored in the ledger. Raises NothingLeftOut."""
    removing = {name for name, table in plan.items() if table["deleted"]}
    for table in plan.values():
        removing |= {f"{SCHOOL}{school}" for school, part in table["schools"].items() if part["deleted"]}
    for word in selectors:
        if word not in removing:
            raise NothingLeftOut(word=word[:80], import_id=import_id)
