"""OneRoster: rosters of 1EdTech's "OneRoster CSV Binding", versions 1.1 and 1.2 (1.2.1)."""

from roster_etl.spec import Format
from roster_etl.vendors import Vendor
from roster_etl.vendors.oneroster.academic_sessions import ACADEMIC_SESSIONS, ACADEMIC_SESSIONS_OF_1_1
from roster_etl.vendors.oneroster.classes import CLASSES, CLASSES_OF_1_1
from roster_etl.vendors.oneroster.courses import COURSES
from roster_etl.vendors.oneroster.demographics import DEMOGRAPHICS, DEMOGRAPHICS_OF_1_1
from roster_etl.vendors.oneroster.enrollments import ENROLLMENTS, ENROLLMENTS_OF_1_1
from roster_etl.vendors.oneroster.manifest import MANIFEST, MANIFEST_FILE, UNREAD
from roster_etl.vendors.oneroster.mapping import MAPPINGS
from roster_etl.vendors.oneroster.options import OPTIONS
from roster_etl.vendors.oneroster.orgs import ORGS, ORGS_OF_1_1
from roster_etl.vendors.oneroster.roles import ROLES_FILE
from roster_etl.vendors.oneroster.user_profiles import USER_PROFILES
from roster_etl.vendors.oneroster.users import USERS, USERS_OF_1_1

FORMAT = Format(
    name="oneroster",
    title="OneRoster",
    document="OneRoster CSV Binding",
    version="1.2.1 of 2023-08-22, and 1.1 (1.1.1)",
    mode="snapshot",
    files=(
        MANIFEST_FILE,
        ORGS,
        ACADEMIC_SESSIONS,
        COURSES,
        CLASSES,
        USERS,
        USER_PROFILES,
        ROLES_FILE,
        DEMOGRAPHICS,
        ENROLLMENTS,
    ),
    options=OPTIONS,
    lone_zip=True,
    manifest=MANIFEST,
    versions={
        "1.1": (
            ORGS_OF_1_1,
            ACADEMIC_SESSIONS_OF_1_1,
            CLASSES_OF_1_1,
            USERS_OF_1_1,
            DEMOGRAPHICS_OF_1_1,
            ENROLLMENTS_OF_1_1,
        ),
    },
    absent_in={"1.1": ("userProfiles", "roles")},
    unread=UNREAD,
    strict_option="conformance",
)

VENDOR = Vendor(format=FORMAT, mappings=MAPPINGS, package="roster_etl.vendors.oneroster")
