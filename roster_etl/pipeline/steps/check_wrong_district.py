"""Check whether an upload belongs to another district: almost none of its people are known here."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from roster_etl.engine.planning.plan import Plan
from roster_etl.engine.planning.wrong_district import MIN_PEOPLE, ForeignUpload, detect_foreign_upload
from roster_etl.pipeline.steps.closing_versions import ClosingVersions
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace

_KEY = ["user_kind", "user_id"]


_PERSON = [*_KEY, "first_name", "last_name", "email"]


def check_foreign_upload(
    workspace: Workspace, upload: Upload, plan: Plan, tables: Mapping[str, pa.Table], closing: ClosingVersions
) -> ForeignUpload | None:
    """Return why the upload does not look like the district's own, or None. Reads data only if many people would be removed."""
    users = plan.tables.get("users")
    if users is None or users.absent < MIN_PEOPLE or users.created < MIN_PEOPLE:
        return None
    gone = closing.absent("users").select(_PERSON)
    born = workspace.warehouse.roster.versions_by_key(upload.district_id, upload.source, "student_profiles", gone.select(_KEY))
    opened = users.rows_to_open(lambda: tables["users"]).select(_PERSON)
    come = opened.join(closing.replaced("users").select(_KEY), _KEY, join_type="left anti")
    born_there = tables["student_profiles"] if "student_profiles" in tables else born.slice(0, 0)
    return detect_foreign_upload(_join_birth_dates(gone, born), _join_birth_dates(come, born_there), current=users.current)


def _join_birth_dates(people: pa.Table, profiles: pa.Table) -> pa.Table:
    born = profiles.select([*_KEY, "birth_date"])
    return people.cast(_plain(people)).join(born.cast(_plain(born)), _KEY, join_type="left outer")


def _plain(table: pa.Table) -> pa.Schema:
    """Return the schema with plain text columns, so that keys of two origins can be joined."""
    plain = [pa.field(f.name, pa.date32() if f.name == "birth_date" else pa.string()) for f in table.schema]
    return pa.schema(plain)
