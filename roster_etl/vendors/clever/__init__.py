"""Clever: a whole district as CSV files, according to the "Clever SFTP Instructions" of August 12, 2024."""

from roster_etl.spec import Format
from roster_etl.vendors import Vendor
from roster_etl.vendors.clever.admins import ADMINS
from roster_etl.vendors.clever.enrollments import ENROLLMENTS
from roster_etl.vendors.clever.mapping import MAPPINGS
from roster_etl.vendors.clever.options import OPTIONS
from roster_etl.vendors.clever.schools import SCHOOLS
from roster_etl.vendors.clever.sections import SECTIONS
from roster_etl.vendors.clever.staff import STAFF
from roster_etl.vendors.clever.students import STUDENTS
from roster_etl.vendors.clever.teachers import TEACHERS

FORMAT = Format(
    name="clever",
    title="Clever",
    document="Clever SFTP Instructions",
    version="2024-08-12",
    mode="snapshot",
    files=(SCHOOLS, TEACHERS, STUDENTS, SECTIONS, ENROLLMENTS, STAFF, ADMINS),
    options=OPTIONS,
)

VENDOR = Vendor(format=FORMAT, mappings=MAPPINGS, package="roster_etl.vendors.clever")
