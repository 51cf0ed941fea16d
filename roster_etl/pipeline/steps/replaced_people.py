"""Report people who take the place of others under known ids, row by row.

Belongs here: which people are compared, and the findings. The comparison is ``engine.planning.replaced_people``.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.planning.plan import Plan
from roster_etl.engine.planning.replaced_people import COMPARED, KEY, renamed_people, replaced_people
from roster_etl.frames.arrow import combine_chunks
from roster_etl.frames.row_hashes import key_text
from roster_etl.pipeline.steps.closing_versions import ClosingVersions
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.spec.findings import Finding
from roster_etl.store.warehouse import RosterReader

ANOTHER_PERSON = "another_person"
_PROFILES = "student_profiles"
_STRANGER = "The roster has another person under this id: names, date of birth and e-mail address all differ."
_MOVED = "The roster has another person under this id, and this person under another one."


def replaced_people_findings(
    roster: RosterReader, upload: Upload, plan: Plan, tables: Mapping[str, pa.Table], closing: ClosingVersions
) -> list[Finding]:
    """Return a finding for each row that describes another person than the roster has under its id.

    Reads data only if names change.
    """
    users = plan.tables.get("users")
    if users is None or not (users.columns.get("first_name") or users.columns.get("last_name")):
        return []
    opened = users.rows_to_open(lambda: tables["users"]).select([*KEY, *COMPARED, "source_file", "source_row"])
    before, after = renamed_people(closing.replaced("users"), opened)
    if not after.num_rows:
        return []
    born = _birth_dates(roster, upload, tables, after)
    found = replaced_people(before, after, *born)
    places = [(row, _STRANGER) for row in _places(found.strangers)] + [(row, _MOVED) for row in _places(found.moved)]
    return [
        Finding(severity="warning", code=ANOTHER_PERSON, file=file, row=row, field="users", message=message)
        for (file, row), message in sorted(places, key=lambda place: (place[0][0] or "", place[0][1] or 0))
    ]


def _birth_dates(
    roster: RosterReader, upload: Upload, tables: Mapping[str, pa.Table], people: pa.Table
) -> tuple[pa.Table, pa.Table]:
    """Return the dates of birth of `people` in the roster and in the upload; none where another file than that of the names has them.

    A row of another file goes with the id: it stays as it is, whoever the id is given to.
    """
    keys = pa.table({name: combine_chunks(people.column(name)).cast(pa.string()) for name in KEY})
    known = roster.versions_by_key(upload.district_id, upload.source, _PROFILES, keys)
    if not _files(upload, _PROFILES, "birth_date") <= _files(upload, "users", "first_name"):
        return known.slice(0, 0), known.slice(0, 0)
    profiles = tables.get(_PROFILES, known)
    return known, profiles.filter(pc.is_in(key_text(profiles, KEY), value_set=key_text(keys, KEY)))


def _files(upload: Upload, table: str, column: str) -> set[str]:
    """Return the vendor files that a canonical column is made of."""
    mappings = (mapping for mapping in upload.vendor.mappings if mapping.to == table)
    return {file for mapping in mappings for file, _ in mapping.lineage().get(column, ())}


def _places(rows: pa.Table) -> list[tuple[str | None, int | None]]:
    return list(zip(rows.column("source_file").to_pylist(), rows.column("source_row").to_pylist(), strict=True))
