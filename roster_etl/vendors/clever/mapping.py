"""How Clever's files become canonical tables; this folder's README records the decisions about ambiguous columns."""

from roster_etl.canonical.codes import GRADES as CEDS_GRADES
from roster_etl.mapping.column_plan import (
    AnyRow,
    Const,
    FirstOf,
    ForEvery,
    From,
    IfOption,
    Lookup,
    Mapping,
    MostCommon,
    NullIfConflicting,
    NullIfUniform,
    OnlyMatched,
    OnlyRows,
    RowNumber,
    Unpivot,
)
from roster_etl.mapping.combinators import if_first_given, us_day_end, us_day_start, with_us_dates
from roster_etl.mapping.common_plans import ACTIVE, active_enrollment, named_user, user_key
from roster_etl.mapping.value_functions import (
    chained,
    coalesce,
    derived_id,
    digits,
    joined,
    keyword_subject,
    parse_decimal,
    parse_integer,
    parse_us_date,
    parse_yes_no,
    range_low,
    recode,
)
from roster_etl.vendors.clever.codes import (
    DISTRICT_OFFICE,
    DISTRICT_OFFICE_NAME,
    EVERY_SCHOOL,
    GENDERS,
    GRADES,
    LUNCHES,
    PHONE_TYPES,
    RACES,
    SUBJECT_KEYWORDS,
    SUBJECT_OTHERWISE,
    SUBJECTS,
    TECH_LEAD_ROLES,
)

_GRADE = chained(range_low, recode(GRADES))
_NAMED_BY_COURSE = From("Course_name", "teacher_last_name", "Period", via=if_first_given(joined(" - ")), derived=True)
_NAMED_BY_TEACHER = From("teacher_last_name", "Period", via=joined(" - "), derived=True)
_SUBJECT_BY_NAME = chained(coalesce, keyword_subject(SUBJECT_KEYWORDS, otherwise=SUBJECT_OTHERWISE))
_TERM_ID = From("Term_name", "Term_start", "Term_end", via=with_us_dates(derived_id("term")), derived=True)


def _course_id(school: str) -> IfOption:
    """Return the expression for the ID of a section's course; `school` is the column with the section's school."""
    by_name = From(school, "Course_name", via=derived_id("course"), derived=True)
    by_number = From("Course_number", school, via=if_first_given(derived_id("course_number")), derived=True)
    return IfOption(
        option="course_number_scope",
        equals="district",
        then=FirstOf(From("Course_number"), by_name),
        otherwise=FirstOf(by_number, by_name),
    )


_COURSE_ID = _course_id("School_id")

_TAUGHT = OnlyMatched(
    file="enrollments",
    on="Section_id",
    code="no_enrollments",
    message="The section has no accepted student enrollment and was not loaded.",
    report=False,
)
_REPORTED = OnlyMatched(file="enrollments", on="Section_id", code="no_enrollments", message=_TAUGHT.message)
_SECTION_COURSE = Lookup(
    file="sections",
    on="Section_id",
    key="Section_id",
    take={"Course_number": "Course_number", "Course_name": "Course_name", "section_school": "School_id"},
)


_STAFF_LEADS = AnyRow(by="Staff_id", column="Role", values=TECH_LEAD_ROLES, name="is_tech_lead", file="admins")
_ADMIN_LEADS = AnyRow(by="Staff_id", column="Role", values=TECH_LEAD_ROLES, name="is_tech_lead", file="staff")
_STAFF_ROLE = FirstOf(From("is_tech_lead", via=recode({"Y": "tech_lead"})), Const("staff"))

MAPPINGS: tuple[Mapping, ...] = (
    Mapping(
        source="schools",
        to="organizations",
        extensions=True,
        columns={
            "organization_id": From("School_id"),
            "type": Const("school"),
            "name": From("School_name"),
            "number": From("School_number"),
            "state_id": From("State_id"),
            "low_grade": From("Low_grade", via=_GRADE),
            "high_grade": From("High_grade", via=_GRADE),
            "principal_name": From("Principal"),
            "principal_email": From("Principal_email"),
            "street": From("School_address"),
            "city": From("School_city"),
            "state": From("School_state"),
            "zip": From("School_zip"),
            "phone": From("School_phone", via=digits),
        },
    ),
    Mapping(
        source="staff",
        to="organizations",
        steps=(OnlyRows(column="School_id", values=(DISTRICT_OFFICE,)),),
        note="The district office is an organization only where a member of staff belongs to it.",
        columns={
            "organization_id": From("School_id"),
            "type": Const("office", derived=True),
            "name": Const(DISTRICT_OFFICE_NAME, derived=True),
        },
    ),
    Mapping(
        source="sections",
        to="terms",
        steps=(_TAUGHT,),
        merges=True,
        columns={
            "term_id": _TERM_ID,
            "name": From("Term_name"),
            "start_at": From("Term_start", via=us_day_start, option="time_zone"),
            "end_at": From("Term_end", via=us_day_end, option="time_zone"),
        },
    ),
    Mapping(
        source="students",
        to="users",
        extensions=True,
        columns={
            **user_key("student", "Student_id"),
            "number": From("Student_number"),
            "state_id": From("State_id"),
            "first_name": From("First_name"),
            "middle_name": From("Middle_name"),
            "last_name": From("Last_name"),
            "preferred_first_name": From("Preferred_first_name"),
            "preferred_middle_name": From("Preferred_middle_name"),
            "preferred_last_name": From("Preferred_last_name"),
            "full_name": From("First_name", "Last_name", via=joined(" "), derived=True),
            "email": From("Student_email"),
            "username": From("Username"),
            "status": ACTIVE,
        },
    ),
    Mapping(
        source="teachers",
        to="users",
        extensions=True,
        columns={
            **user_key("teacher", "Teacher_id"),
            "number": From("Teacher_number"),
            "state_id": From("State_teacher_id"),
            "first_name": From("First_name"),
            "middle_name": From("Middle_name"),
            "last_name": From("Last_name"),
            "full_name": From("First_name", "Last_name", via=joined(" "), derived=True),
            "email": From("Teacher_email"),
            "username": From("Username"),
            "title": From("Title"),
            "status": ACTIVE,
        },
    ),
    Mapping(
        source="staff",
        to="users",
        extensions=True,
        merges=True,
        columns={
            **named_user("staff", "Staff_id", "First_name", "Last_name"),
            "email": From("Staff_email"),
            "username": From("Username"),
            "title": From("Title"),
            "status": ACTIVE,
        },
    ),
    Mapping(
        source="admins",
        to="users",
        extensions=True,
        merges=True,
        is_fallback=True,
        note="The file that staff.csv replaced; where both name a person, staff.csv counts.",
        columns={
            **named_user("staff", "Staff_id", "First_name", "Last_name"),
            "email": From("Admin_email"),
            "username": From("Username"),
            "title": From("Admin_title"),
            "status": ACTIVE,
        },
    ),
    Mapping(
        source="students",
        to="user_roles",
        columns={
            **user_key("student", "Student_id"),
            "organization_id": From("School_id"),
            "role": Const("student"),
            "is_primary": Const(True),
        },
    ),
    Mapping(
        source="teachers",
        to="user_roles",
        columns={
            **user_key("teacher", "Teacher_id"),
            "organization_id": From("School_id"),
            "role": Const("teacher"),
            "title": From("Title"),
        },
    ),
    Mapping(
        source="staff",
        to="user_roles",
        steps=(
            _STAFF_LEADS,
            ForEvery(column="School_id", value=EVERY_SCHOOL, file="schools", take="School_id", name="every_school"),
        ),
        columns={
            **user_key("staff", "Staff_id"),
            "organization_id": FirstOf(From("School_id"), From("every_school", derived=True)),
            "role": _STAFF_ROLE,
            "title": From("Title"),
            "department": From("Department"),
        },
    ),
    Mapping(
        source="admins",
        to="user_roles",
        is_fallback=True,
        steps=(_ADMIN_LEADS,),
        columns={
            **user_key("staff", "Staff_id"),
            "organization_id": From("School_id"),
            "role": _STAFF_ROLE,
            "title": From("Admin_title"),
        },
    ),
    Mapping(
        source="students",
        to="student_profiles",
        columns={
            **user_key("student", "Student_id"),
            "grade": From("Grade", via=recode(GRADES)),
            "gender": From("Gender", via=recode(GENDERS)),
            "birth_date": From("DOB", via=parse_us_date),
            "race": From("Race", via=recode(RACES)),
            "hispanic": From("Hispanic_Latino", via=parse_yes_no),
            "home_language": From("Home_language"),
            "ell": From("Ell_status", via=parse_yes_no),
            "frl": From("Frl_status", via=recode(LUNCHES)),
            "iep": From("IEP_status", via=parse_yes_no),
            "section_504": From("Section_504_status", via=parse_yes_no),
            "gifted": From("Gifted_status", via=parse_yes_no),
            "disability": From("Disability_status", via=parse_yes_no),
            "disability_type": From("Disability_type"),
            "graduation_year": From("Graduation_year", via=parse_integer),
            "unweighted_gpa": From("Unweighted_gpa", via=parse_decimal),
            "weighted_gpa": From("Weighted_gpa", via=parse_decimal),
            "street": From("Student_street"),
            "city": From("Student_city"),
            "state": From("Student_state"),
            "zip": From("Student_zip"),
        },
    ),
    Mapping(
        source="students",
        to="contacts",
        steps=(OnlyRows(column="Contact_name"), RowNumber(by="Student_id", name="position")),
        merges=True,
        columns={
            **user_key("student", "Student_id"),
            "contact_id": FirstOf(
                From("Contact_sis_id"),
                From("Contact_name", "Contact_relationship", "Contact_type", via=derived_id("contact"), derived=True),
            ),
            "name": From("Contact_name"),
            "relationship": From("Contact_relationship"),
            "type": From("Contact_type"),
            "phone": From("Contact_phone", via=digits),
            "phone_type": From("Contact_phone_type", via=recode(PHONE_TYPES)),
            "email": From("Contact_email"),
            "position": From("position", via=parse_integer, derived=True),
        },
    ),
    Mapping(
        source="sections",
        to="courses",
        steps=(_TAUGHT, NullIfConflicting(by="Course_number", column="School_id", name="course_school")),
        merges=True,
        note="A course number that several schools use is a course of the district: it belongs to no one school.",
        columns={
            "course_id": _COURSE_ID,
            "organization_id": IfOption(
                option="course_number_scope", equals="district", then=From("course_school"), otherwise=From("School_id")
            ),
            "number": From("Course_number"),
            "name": From("Course_name"),
            "description": From("Course_description"),
            "status": ACTIVE,
        },
    ),
    Mapping(
        source="sections",
        to="sections",
        extensions=True,
        steps=(
            _REPORTED,
            Lookup(file="teachers", on="Teacher_id", key="Teacher_id", take={"teacher_last_name": "Last_name"}),
            NullIfUniform(column="Grade", name="varied_grade"),
            MostCommon(
                name="common_grade",
                file="students",
                value="Grade",
                through="enrollments",
                by="Section_id",
                member="Student_id",
                codes=GRADES,
                order=(*CEDS_GRADES,),
            ),
        ),
        columns={
            "section_id": From("Section_id"),
            "course_id": _COURSE_ID,
            "home_course_id": _COURSE_ID,
            "organization_id": From("School_id"),
            "term_id": _TERM_ID,
            "name": IfOption(
                option="section_names",
                equals="document",
                then=FirstOf(_NAMED_BY_COURSE, From("Name"), _NAMED_BY_TEACHER),
                otherwise=FirstOf(From("Name"), _NAMED_BY_COURSE, _NAMED_BY_TEACHER),
            ),
            "number": From("Section_number"),
            "period": From("Period"),
            "subject": IfOption(
                option="infer_subjects",
                equals=True,
                then=FirstOf(
                    From("Subject", via=recode(SUBJECTS)),
                    From("Course_name", "Name", via=_SUBJECT_BY_NAME, derived=True),
                ),
                otherwise=From("Subject", via=recode(SUBJECTS)),
            ),
            "grade": IfOption(
                option="infer_grades",
                equals=True,
                then=FirstOf(From("varied_grade", via=_GRADE), From("common_grade", derived=True), From("Grade", via=_GRADE)),
                otherwise=From("Grade", via=_GRADE),
            ),
        },
    ),
    Mapping(
        source="enrollments",
        to="enrollments",
        extensions=True,
        steps=(_SECTION_COURSE,),
        columns=active_enrollment(
            _course_id("section_school"), From("Section_id"), user_key("student", "Student_id"), "student", "School_id"
        ),
    ),
    Mapping(
        source="sections",
        to="enrollments",
        steps=(_TAUGHT, Unpivot(columns=("Teacher_id",), family="Teacher_{n}_id", value="teacher", position="place")),
        family_values={"is_primary": False},
        columns={
            "course_id": _COURSE_ID,
            "section_id": From("Section_id"),
            **user_key("teacher", "teacher"),
            "role": Const("teacher"),
            "is_primary": From("place", via=recode({"1": True}, otherwise=False)),
            "organization_id": From("School_id"),
            "status": ACTIVE,
        },
    ),
)
