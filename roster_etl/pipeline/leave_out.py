"""The words that name removals to be left out of a plan.

Belongs here: reading them. What is left out is decided in ``engine.plan``, and shown beforehand by ``partial``.
"""

from __future__ import annotations

from collections.abc import Sequence

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.plan import LeftOut
from roster_etl.spec.errors import PermanentError

SCHOOL = "school:"


class BadLeaveOut(PermanentError):
    """What is to be left out is neither a table nor a school."""

    code = "bad_leave_out"
    template = "to be left out: a table ({tables}) or school:ID, the id of a school"


def left_out(words: Sequence[str]) -> LeftOut:
    """Return what `words` name: tables, or schools as ``school:ID``. Raises BadLeaveOut."""
    schools = frozenset(word.removeprefix(SCHOOL) for word in words if word.startswith(SCHOOL))
    tables = frozenset(word for word in words if not word.startswith(SCHOOL))
    if tables - set(TABLES) or "" in schools:
        raise BadLeaveOut(tables=", ".join(TABLES))
    return LeftOut(tables=tables, schools=schools)
