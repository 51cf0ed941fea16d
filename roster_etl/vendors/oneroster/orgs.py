"""orgs.csv, as the CSV Binding states it (4.9 in 1.2; the same columns in 1.1)."""

from typing import Any

from roster_etl.spec import Choice, Column, File, Identity, SelfReference
from roster_etl.vendors.oneroster.codes import EXTENDED, ORGANIZATION_TYPES
from roster_etl.vendors.oneroster.common import COMMON, DATA_FILE

_NAME = Column("name", required=True, note="The organization's name.")
_IDENTIFIER = Column("identifier", note="A number that people know, such as the NCES id.")
_PARENT = Column("parentSourcedId", note="The organization that it belongs to.")
_TYPE_NOTE = "What the organization is. 1.2 allows terms of one's own that begin with ext:."

_BOTH_VERSIONS: dict[str, Any] = {
    "name": "orgs",
    "file_name": "orgs.csv",
    "title": "Schools, districts and other organizations",
    "identity": Identity(columns=("name", "identifier", "type")),
    "rules": (SelfReference(column="parentSourcedId", key="sourcedId"),),
    **DATA_FILE,
}

ORGS = File(
    source="4.9",
    columns=(
        *COMMON,
        _NAME,
        Column("type", required=True, cell_format=Choice((*ORGANIZATION_TYPES,), prefix=EXTENDED), note=_TYPE_NOTE),
        _IDENTIFIER,
        _PARENT,
    ),
    **_BOTH_VERSIONS,
)

ORGS_OF_1_1 = File(
    source="1.1",
    columns=(
        *COMMON,
        _NAME,
        Column("type", required=True, cell_format=Choice((*ORGANIZATION_TYPES,)), note=_TYPE_NOTE),
        _IDENTIFIER,
        _PARENT,
    ),
    **_BOTH_VERSIONS,
)
