"""Dyknow: a whole district as five CSV files, by Dyknow's article on importing student rosters from Clever export files."""

from roster_etl.spec import Format
from roster_etl.vendors import Vendor
from roster_etl.vendors.dyknow.enrollments import ENROLLMENTS
from roster_etl.vendors.dyknow.mapping import MAPPINGS
from roster_etl.vendors.dyknow.schools import SCHOOLS
from roster_etl.vendors.dyknow.sections import SECTIONS
from roster_etl.vendors.dyknow.students import STUDENTS
from roster_etl.vendors.dyknow.teachers import TEACHERS

FORMAT = Format(
    name="dyknow",
    title="Dyknow",
    document="How to import student roster data from Clever?",
    version="undated",
    mode="snapshot",
    files=(SCHOOLS, STUDENTS, TEACHERS, SECTIONS, ENROLLMENTS),
)

VENDOR = Vendor(format=FORMAT, mappings=MAPPINGS, package="roster_etl.vendors.dyknow")
