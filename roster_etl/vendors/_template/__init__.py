"""Template: describe the upload in one line, and name the document that specifies it."""

from roster_etl.spec import Format
from roster_etl.vendors import Vendor
from roster_etl.vendors._template.mapping import MAPPINGS
from roster_etl.vendors._template.people import PEOPLE
from roster_etl.vendors._template.schools import SCHOOLS

FORMAT = Format(
    name="_template",
    title="Template",
    document="the title of the document",
    version="its date",
    mode="snapshot",
    files=(SCHOOLS, PEOPLE),
)

VENDOR = Vendor(format=FORMAT, mappings=MAPPINGS, package="roster_etl.vendors._template")
