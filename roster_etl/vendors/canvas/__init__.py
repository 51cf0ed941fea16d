"""Canvas: files of rows that add, change, conclude and delete, according to the "SIS Import CSV Format" page."""

from roster_etl.spec import Format
from roster_etl.vendors import Vendor
from roster_etl.vendors.canvas.accounts import ACCOUNTS
from roster_etl.vendors.canvas.admins import ADMINS
from roster_etl.vendors.canvas.change_rules import CHANGE_PLAN
from roster_etl.vendors.canvas.change_sis_id import CHANGE_SIS_ID
from roster_etl.vendors.canvas.courses import COURSES
from roster_etl.vendors.canvas.enrollments import ENROLLMENTS
from roster_etl.vendors.canvas.group_categories import GROUP_CATEGORIES
from roster_etl.vendors.canvas.groups import GROUPS
from roster_etl.vendors.canvas.groups_membership import GROUPS_MEMBERSHIP
from roster_etl.vendors.canvas.logins import LOGINS
from roster_etl.vendors.canvas.options import OPTION_RULES, OPTIONS
from roster_etl.vendors.canvas.sections import SECTIONS
from roster_etl.vendors.canvas.terms import TERMS
from roster_etl.vendors.canvas.unsupported_files import UNSUPPORTED
from roster_etl.vendors.canvas.user_observers import USER_OBSERVERS
from roster_etl.vendors.canvas.users import USERS
from roster_etl.vendors.canvas.xlists import XLISTS

FORMAT = Format(
    name="canvas",
    title="Canvas SIS import",
    document="How do I format CSV text files for uploading SIS data into a Canvas account?",
    version="as read in 2026",
    mode="changes",
    files=(
        CHANGE_SIS_ID,
        ACCOUNTS,
        TERMS,
        COURSES,
        SECTIONS,
        XLISTS,
        USERS,
        LOGINS,
        ENROLLMENTS,
        ADMINS,
        GROUP_CATEGORIES,
        GROUPS,
        GROUPS_MEMBERSHIP,
        USER_OBSERVERS,
    ),
    options=OPTIONS,
    option_rules=OPTION_RULES,
    identify_by="headers",
    unsupported=UNSUPPORTED,
    lone_zip=True,
    broken_records="file",
)

VENDOR = Vendor(format=FORMAT, change_plan=CHANGE_PLAN, package="roster_etl.vendors.canvas")
