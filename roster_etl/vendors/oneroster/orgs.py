"""orgs.csv, as the CSV Binding states it (4.9 in 1.2; the same columns in 1.1)."""

from roster_etl.spec import Choice, Column, File, Identity, SelfReference
from roster_etl.vendors.oneroster.codes import EXTENDED, ORGANIZATION_TYPES
from roster_etl.vendors.oneroster.common import CHANGES, COMMON, EXTENSIONS, KEY, REMOVED

_IDENTITY = Identity(columns=("name", "identifier", "type"))
_NAME = Column("name", required=True, note="The organization's name.")
_IDENTIFIER = Column("identifier", note="A number that people know, such as the NCES id.")
_PARENT = Column("parentSourcedId", note="The organization that it belongs to.")
_TYPE_NOTE = "What the organization is. 1.2 allows terms of one's own that begin with ext:."
_RULES = (SelfReference(column="parentSourcedId", key="sourcedId"),)

ORGS = File(
    name="orgs",
    file_name="orgs.csv",
    title="Schools, districts and other organizations",
    source="4.9",
    key=KEY,
    columns=(
        *COMMON,
        _NAME,
        Column("type", required=True, cell_format=Choice((*ORGANIZATION_TYPES,), prefix=EXTENDED), note=_TYPE_NOTE),
        _IDENTIFIER,
        _PARENT,
    ),
    required=False,
    carried_forward=True,
    deleted=REMOVED,
    changes=CHANGES,
    identity=_IDENTITY,
    exact_case=True,
    extensions=EXTENSIONS,
    rules=_RULES,
)

ORGS_OF_1_1 = File(
    name="orgs",
    file_name="orgs.csv",
    title="Schools, districts and other organizations",
    source="1.1",
    key=KEY,
    columns=(
        *COMMON,
        _NAME,
        Column("type", required=True, cell_format=Choice((*ORGANIZATION_TYPES,)), note=_TYPE_NOTE),
        _IDENTIFIER,
        _PARENT,
    ),
    required=False,
    carried_forward=True,
    deleted=REMOVED,
    changes=CHANGES,
    identity=_IDENTITY,
    exact_case=True,
    extensions=EXTENSIONS,
    rules=_RULES,
)
