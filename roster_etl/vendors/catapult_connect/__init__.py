"""CatapultCONNECT: a whole district as CSV files, according to "SIS Data Requirements for CatapultCONNECT"."""

from roster_etl.spec import FileSet, Format
from roster_etl.vendors import Vendor
from roster_etl.vendors.catapult_connect.attendance import ATTENDANCE
from roster_etl.vendors.catapult_connect.mapping import MAPPINGS
from roster_etl.vendors.catapult_connect.options import OPTIONS
from roster_etl.vendors.catapult_connect.schools import SCHOOLS
from roster_etl.vendors.catapult_connect.staff import STAFF
from roster_etl.vendors.catapult_connect.staff_to_student import STAFF_TO_STUDENT
from roster_etl.vendors.catapult_connect.students import STUDENTS

FORMAT = Format(
    name="catapult_connect",
    title="CatapultCONNECT",
    document="SIS Data Requirements for CatapultCONNECT",
    version="undated, as of 2026",
    mode="snapshot",
    files=(STAFF, STUDENTS, STAFF_TO_STUDENT, SCHOOLS, ATTENDANCE),
    sets=(
        FileSet(name="roster", files=("staff", "students", "staff_to_student", "schools"), mode="snapshot"),
        FileSet(
            name="attendance",
            files=("attendance",),
            mode="events",
            timing={"quiet_period": "60s", "min_interval": "0"},
            urgent=True,
        ),
    ),
    options=OPTIONS,
    fixed_column_order=True,
    column_order_option="allow_column_order",
)

VENDOR = Vendor(format=FORMAT, mappings=MAPPINGS, package="roster_etl.vendors.catapult_connect")
