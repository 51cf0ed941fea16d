"""How CatapultCONNECT's files become canonical tables; this folder's README records the decisions about ambiguous columns."""

from roster_etl.mapping.column_plan import (
    RECEIVED_ON,
    AnyGiven,
    AnyRow,
    Computed,
    Const,
    FirstOf,
    From,
    IfOption,
    Mapping,
    MissingKey,
    NullIfConflicting,
    OfUpload,
)
from roster_etl.mapping.combinators import looked_up, or_else, unless_same_lookup, with_constants
from roster_etl.mapping.common_plans import ACTIVE, active_enrollment, named_user, role_at_school, user_key
from roster_etl.mapping.value_functions import derived_id, digits, parse_decimal, parse_short_us_date, recode
from roster_etl.vendors.catapult_connect.codes import GRADES, HOMEROOM_PERIODS, HOMEROOM_PERIODS_AND_ZERO, PRIMARY, SECONDARY

_OWN_CODE = From("School Site Name", via=looked_up, option="site_codes", derived=True)


def _site_of_code(source: str) -> Mapping:
    """Return the mapping for a school code that no site file names."""
    return Mapping(
        source=source,
        to="organizations",
        is_fallback=True,
        note="A site that SchoolExport.csv does not name is called by its code.",
        columns={
            "organization_id": From("School"),
            "type": Const("school", derived=True),
            "name": From("School", derived=True),
        },
    )


def _contacts(kind: str, position: int) -> Mapping:
    """The contact in the columns that end in `kind`; a relationship is not given, and counts as empty in the id."""
    name, phone, email = f"ContactName{kind}", f"ContactPhone{kind}", f"ContactEmail{kind}"
    return Mapping(
        source="students",
        to="contacts",
        steps=(AnyGiven(columns=(name, phone, email)),),
        columns={
            **user_key("student", "ID"),
            "contact_id": From(name, via=with_constants(derived_id("contact"), "", kind), derived=True),
            "name": From(name),
            "type": Const(kind),
            "phone": From(phone, via=digits),
            "email": From(email),
            "position": Const(position),
        },
    )


_DERIVED_COURSE_ID = derived_id("course")
_COURSE_ID = FirstOf(From("Course_number"), From("School", "Name", via=_DERIVED_COURSE_ID, derived=True))
_SECTION_ID = From(
    "School", "Teacher", "Period", "Course_number", "Section_number", "Name", via=derived_id("section"), derived=True
)
_YES = recode({"Y": True})

MAPPINGS: tuple[Mapping, ...] = (
    Mapping(
        source="schools",
        to="organizations",
        merges=True,
        note="A site whose code the district's settings know (site_codes).",
        columns={
            "organization_id": _OWN_CODE,
            "type": Const("school"),
            "name": From("School Site Name"),
            "street": From("Address"),
            "phone": From("Phone Number", via=digits),
            "merge_with_id": From("Merge with Site ID", "School Site Name", via=unless_same_lookup, option="site_codes"),
        },
    ),
    Mapping(
        source="schools",
        to="organizations",
        merges=True,
        disagreement="info",
        is_fallback=True,
        note="A site that is known by the id that its row is merged with; of combined locations the first names the site.",
        missing_key=MissingKey(
            code="unnamed_row",
            field="Merge with Site ID",
            message="The site has no Merge with Site ID, and the option site_codes has no code for its name. The row waits: "
            "it is read again with each upload, until one of the two says which site it is.",
        ),
        columns={
            "organization_id": FirstOf(From("Merge with Site ID"), _OWN_CODE),
            "type": Const("school"),
            "name": From("School Site Name"),
            "street": From("Address"),
            "phone": From("Phone Number", via=digits),
        },
    ),
    _site_of_code("staff"),
    _site_of_code("students"),
    _site_of_code("staff_to_student"),
    Mapping(
        source="students",
        to="users",
        columns={
            **named_user("student", "ID", "Name.First", "Name.Last"),
            "email": From("Email"),
            "phone": From("MobileNumber", via=digits),
            "status": ACTIVE,
        },
    ),
    Mapping(
        source="staff",
        to="users",
        columns={
            **named_user("staff", "ID", "Name.First", "Name.Last"),
            "email": From("Email"),
            "title": From("Title"),
            "phone": From("Mobile_number", via=digits),
            "status": ACTIVE,
        },
    ),
    role_at_school("students", "student", "ID", "School"),
    Mapping(
        source="staff",
        to="user_roles",
        columns={
            **user_key("staff", "ID"),
            "organization_id": From("School"),
            "role": Const("staff"),
            "title": From("Title"),
        },
    ),
    Mapping(
        source="students",
        to="student_profiles",
        columns={
            **user_key("student", "ID"),
            "grade": From("Grade", via=recode(GRADES)),
            "home_language": From("PrimaryLanguage"),
            "zip": From("ZipCode"),
            "bus_route": From("BusRoute"),
            "lunch_balance": From("LunchBalance", via=parse_decimal),
            "preferred_contact_method": From("PreferredContactMethod"),
        },
    ),
    _contacts(PRIMARY, 1),
    _contacts(SECONDARY, 2),
    Mapping(
        source="staff_to_student",
        to="courses",
        merges=True,
        steps=(
            Computed(name="course", columns=("Course_number", "School", "Name"), via=or_else(_DERIVED_COURSE_ID)),
            NullIfConflicting(by="course", column="School", name="course_school"),
            AnyRow(by="course", column="Period", values=HOMEROOM_PERIODS, name="homeroom"),
            AnyRow(by="course", column="Period", values=HOMEROOM_PERIODS_AND_ZERO, name="homeroom_or_zero"),
        ),
        note="A course number that several schools use is a course of the district: it belongs to no one school.",
        columns={
            "course_id": _COURSE_ID,
            "organization_id": From("course_school"),
            "number": From("Course_number"),
            "name": From("Name"),
            "is_homeroom": FirstOf(
                IfOption(
                    option="period_zero",
                    equals="homeroom",
                    then=From("homeroom_or_zero", via=_YES, derived=True),
                    otherwise=From("homeroom", via=_YES, derived=True),
                ),
                Const(False, derived=True),
            ),
            "status": ACTIVE,
        },
    ),
    Mapping(
        source="staff_to_student",
        to="sections",
        merges=True,
        columns={
            "section_id": _SECTION_ID,
            "course_id": _COURSE_ID,
            "home_course_id": _COURSE_ID,
            "organization_id": From("School"),
            "name": From("Name"),
            "number": From("Section_number"),
            "period": From("Period"),
        },
    ),
    Mapping(
        source="staff_to_student",
        to="enrollments",
        merges=True,
        columns=active_enrollment(_COURSE_ID, _SECTION_ID, user_key("student", "Student"), "student", "School"),
    ),
    Mapping(
        source="staff_to_student",
        to="enrollments",
        merges=True,
        note="A class has the one teacher that it is known by.",
        columns={
            "course_id": _COURSE_ID,
            "section_id": _SECTION_ID,
            **user_key("staff", "Teacher"),
            "role": Const("teacher"),
            "is_primary": Const(True, derived=True),
            "organization_id": From("School"),
            "status": ACTIVE,
        },
    ),
    Mapping(
        source="attendance",
        to="attendance",
        merges=True,
        note="Absences are added; one that a later file does not have stays.",
        columns={
            "organization_id": From("School"),
            "user_id": From("Student"),
            "period": From("Period"),
            "date": FirstOf(From("Date", via=parse_short_us_date), OfUpload(RECEIVED_ON)),
            "absence_code": From("Absence.code"),
            "teacher_name": From("Teacher.name"),
        },
    ),
)
