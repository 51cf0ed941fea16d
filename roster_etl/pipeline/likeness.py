"""Does an upload look like the district's own?

Belongs here: gathering the people who would go and those who would come. What they tell is in ``engine.planning.wrong_district``.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.planning.plan import Plan
from roster_etl.engine.planning.wrong_district import MANY, Likeness, likeness
from roster_etl.frames.arrow import to_table
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace

_KEY = ["user_kind", "user_id"]
_PERSON = [*_KEY, "first_name", "last_name", "email"]


def likeness_of(workspace: Workspace, upload: Upload, plan: Plan, tables: Mapping[str, pd.DataFrame]) -> Likeness | None:
    """Return what the upload looks like if not the district's own; only where many people would go is anything read for it."""
    users = plan.tables.get("users")
    if users is None or users.absent < MANY or users.created < MANY:
        return None
    absent = users.closes.filter(pc.equal(users.closes.column("close_reason"), "absent"))
    gone = workspace.warehouse.versions("users", absent.column("version_id")).select(_PERSON)
    born = workspace.warehouse.matching(upload.district_id, upload.source, "student_profiles", gone.select(_KEY))
    opened = users.opening(lambda: to_table(tables["users"])).select(_PERSON)
    come = _without(opened, workspace.warehouse.versions("users", _replaced(users.closes)).select(_KEY))
    born_there = to_table(tables["student_profiles"]) if "student_profiles" in tables else born.slice(0, 0)
    return likeness(_with_birth(gone, born), _with_birth(come, born_there), current=users.current)


def _replaced(closes: pa.Table) -> pa.ChunkedArray:
    return closes.filter(pc.equal(closes.column("close_reason"), "changed")).column("version_id")


def _without(people: pa.Table, others: pa.Table) -> pa.Table:
    return people.join(others, _KEY, join_type="left anti")


def _with_birth(people: pa.Table, profiles: pa.Table) -> pa.Table:
    born = profiles.select([*_KEY, "birth_date"])
    return people.cast(_plain(people)).join(born.cast(_plain(born)), _KEY, join_type="left outer")


def _plain(table: pa.Table) -> pa.Schema:
    """Return the schema with plain text, so that keys of two origins can be joined."""
    plain = [pa.field(f.name, pa.date32() if f.name == "birth_date" else pa.string()) for f in table.schema]
    return pa.schema(plain)
