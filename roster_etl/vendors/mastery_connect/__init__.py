"""Mastery Connect: a whole district as five CSV files, whose rows are marked as active or deleted.

According to the help page "Mastery Connect SFTP CSV Formatting".
"""

from roster_etl.spec import Format
from roster_etl.vendors import Vendor
from roster_etl.vendors.mastery_connect.accounts import ACCOUNTS
from roster_etl.vendors.mastery_connect.courses import COURSES
from roster_etl.vendors.mastery_connect.enrollments import ENROLLMENTS
from roster_etl.vendors.mastery_connect.mapping import MAPPINGS
from roster_etl.vendors.mastery_connect.options import OPTIONS
from roster_etl.vendors.mastery_connect.sections import SECTIONS
from roster_etl.vendors.mastery_connect.users import USERS

FORMAT = Format(
    name="mastery_connect",
    title="Mastery Connect",
    document="Mastery Connect SFTP CSV Formatting",
    version="help page without a date, as read in 2026",
    mode="snapshot",
    files=(ACCOUNTS, USERS, COURSES, SECTIONS, ENROLLMENTS),
    options=OPTIONS,
)

VENDOR = Vendor(format=FORMAT, mappings=MAPPINGS, package="roster_etl.vendors.mastery_connect")
