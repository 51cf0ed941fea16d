"""How Dyknow's files become canonical tables; this folder's README records the decisions about ambiguous columns."""

from roster_etl.mapping.column_plan import Const, From, Lookup, Mapping, Unpivot
from roster_etl.mapping.combinators import day_end, day_start, of_dates
from roster_etl.mapping.common_plans import ACTIVE, active_enrollment, named_user, role_at_school, user_key
from roster_etl.mapping.value_functions import derived_id, joined, recode
from roster_etl.vendors.dyknow.codes import GRADES

_COURSE_ID = From("school_id", "course_name", via=derived_id("course"), derived=True)
_TERM_ID = From("term_start", "term_end", via=of_dates(derived_id("term")), derived=True)
_SECTION_COURSE = Lookup(
    file="sections",
    on="section_id",
    key="section_id",
    take={"course_name": "course_name", "section_school": "school_id"},
)

MAPPINGS: tuple[Mapping, ...] = (
    Mapping(
        source="schools",
        to="organizations",
        columns={
            "organization_id": From("school_id"),
            "type": Const("school"),
            "name": From("school_name"),
        },
    ),
    Mapping(
        source="sections",
        to="terms",
        merges=True,
        note="The format carries no name of a term: its days are all there is.",
        columns={
            "term_id": _TERM_ID,
            "start_at": From("term_start", via=day_start, option="time_zone"),
            "end_at": From("term_end", via=day_end, option="time_zone"),
        },
    ),
    Mapping(
        source="students",
        to="users",
        columns={
            **named_user("student", "student_id", "first_name", "last_name"),
            "email": From("student_email"),
            "username": From("username"),
            "status": ACTIVE,
        },
    ),
    Mapping(
        source="teachers",
        to="users",
        columns={
            **named_user("teacher", "teacher_id", "first_name", "last_name"),
            "email": From("teacher_email"),
            "status": ACTIVE,
        },
    ),
    role_at_school("students", "student", "student_id", "school_id"),
    role_at_school("teachers", "teacher", "teacher_id", "school_id"),
    Mapping(
        source="students",
        to="student_profiles",
        columns={
            **user_key("student", "student_id"),
            "grade": From("grade", via=recode(GRADES)),
        },
    ),
    Mapping(
        source="sections",
        to="courses",
        merges=True,
        note="The format carries no id of a course: a name is one course in each school.",
        columns={
            "course_id": _COURSE_ID,
            "organization_id": From("school_id"),
            "name": From("course_name"),
            "status": ACTIVE,
        },
    ),
    Mapping(
        source="sections",
        to="sections",
        note="A section has no name of its own; it goes by its course's.",
        columns={
            "section_id": From("section_id"),
            "course_id": _COURSE_ID,
            "home_course_id": _COURSE_ID,
            "organization_id": From("school_id"),
            "term_id": _TERM_ID,
            "name": From("course_name", via=joined(" "), derived=True),
        },
    ),
    Mapping(
        source="enrollments",
        to="enrollments",
        steps=(_SECTION_COURSE,),
        columns=active_enrollment(
            From("section_school", "course_name", via=derived_id("course"), derived=True),
            From("section_id"),
            user_key("student", "student_id"),
            "student",
            "school_id",
        ),
    ),
    Mapping(
        source="sections",
        to="enrollments",
        steps=(Unpivot(columns=("teacher_id",), family="teacher_{n}_id", value="teacher", position="place"),),
        note="All teachers of a section are equal: the document assigns them all, in no other order than that of their names.",
        columns=active_enrollment(_COURSE_ID, From("section_id"), user_key("teacher", "teacher"), "teacher", "school_id"),
    ),
)
