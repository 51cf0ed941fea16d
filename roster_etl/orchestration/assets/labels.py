"""Tags and owners of assets, by which a person filters the catalog: the layer, the vendor, and whether rows are about people.

Belongs here: deriving them from specs and settings. The steps of an import do not need them, so that only the code location has them.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence

import dagster as dg

from roster_etl.canonical.roster import TABLES
from roster_etl.orchestration.assets.asset_keys import MAPPED, PUBLISHED, STAGES, STATE_NAME, UPLOAD_NAME
from roster_etl.orchestration.assets.metadata import OWNERS
from roster_etl.spec.errors import RosterError
from roster_etl.store.default_home import default_home
from roster_etl.store.settings import Settings
from roster_etl.vendors import Vendor
from roster_etl.vendors.lineage import files_for, tables_of

LAYER, VENDOR, PII = "layer", "vendor", "pii"
_PERSON_COLUMNS = re.compile(r"(user|student|teacher)_(id|name)$|^old_id$")


def label_assets(defs: dg.Definitions, vendors: Sequence[Vendor], owners: Sequence[str]) -> dg.Definitions:
    """Return `defs` whose assets have the tags ``layer``, ``vendor`` and ``pii``, and `owners`."""
    personal = {dg.AssetKey([one.format.name, name]) for one in vendors for name in _personal_files(one)}
    formats = {one.format.name for one in vendors}

    def label(spec: dg.AssetSpec) -> dg.AssetSpec:
        own = {LAYER: layer(spec.key, formats), PII: "yes" if spec.key in personal or is_about_people(spec.key) else "no"}
        own |= {VENDOR: spec.key.path[0]} if spec.key.path[0] in formats else {}
        return spec.replace_attributes(tags={**spec.tags, **own}, owners=list(owners))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)  # the version is pinned, and the tests would notice a change
        return defs.map_asset_specs(func=label)


def layer(key: dg.AssetKey, formats: Iterable[str]) -> str:
    """Return the layer of an asset: landing, validated, mapped, planned, published, exported or reported."""
    stage, name = key.path[0], key.path[-1]
    if stage in formats:
        return name if name in STAGES else "landing" if name == UPLOAD_NAME else "validated"
    if key.path == ["roster", "plan"]:
        return "planned"
    return {"roster": "mapped", "warehouse": "published", "export": "exported"}.get(stage, "reported")


def is_about_people(key: dg.AssetKey) -> bool:
    """Return whether the rows of a roster table or an export are about people; plans and reports hold no cell."""
    if key.path[0] == "export":
        return True
    return key.path[0] in ("roster", "warehouse") and key.path[-1] in personal_tables()


def personal_tables() -> frozenset[str]:
    """Return the roster tables whose records are people, or name one."""
    return frozenset(name for name, table in TABLES.items() if any(map(_PERSON_COLUMNS.search, table.names)))


def loaded_owners() -> Sequence[str]:
    """Return the owners in the settings of the default home (``[catalog] owners``), else the package's; each run says what is wrong there."""
    try:
        return Settings.load(default_home(), create=False).catalog.owners or OWNERS
    except (RosterError, OSError, UnicodeDecodeError):
        return OWNERS


def _personal_files(vendor: Vendor) -> Iterable[str]:
    """Yield the files of which a table about people is made, and the other assets of a format that hold them."""
    yield from (UPLOAD_NAME, STATE_NAME, MAPPED, PUBLISHED)
    for table in personal_tables() & {*tables_of(vendor)}:
        yield from files_for(vendor, table)
    yield from (
        file.name for file in vendor.format.files if any(column.purge_with_person or column.secret for column in file.columns)
    )
    if vendor.change_plan is not None:
        yield from (file.name for file in vendor.format.files)
