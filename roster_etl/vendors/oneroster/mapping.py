"""How OneRoster's files become canonical tables; this folder's README records the decisions.

Columns of 1.1 (``role``, ``orgSourcedIds`` of users.csv) are empty in an upload of 1.2, which has roles.csv.
"""

from roster_etl.mapping.column_plan import (
    RECEIVED_ON,
    Computed,
    Const,
    CurrentSpan,
    EnclosingItem,
    Expression,
    FirstOf,
    From,
    IfOption,
    Lookup,
    Mapping,
    OnlyRows,
    SplitList,
    WarnIfDifferent,
    WarnUnmatched,
)
from roster_etl.mapping.combinators import day_end, day_start
from roster_etl.mapping.common_plans import ACTIVE, user_key
from roster_etl.mapping.list_functions import (
    completed_after_last_day,
    completed_when_past,
    first_item,
    flagged_code,
    flagged_codes,
    json_list,
    lowest_item,
    only_item,
    pair_id,
    pair_type,
    school_year_end,
)
from roster_etl.mapping.value_functions import coalesce, joined, parse_integer, parse_us_or_iso_date, recode
from roster_etl.spec import RowCondition
from roster_etl.vendors.oneroster.codes import (
    CONTACT_ROLES,
    ENABLED,
    FLAGS,
    GRADE_ORDER,
    GRADES,
    RACE_CODES,
    ROLE_TYPES,
    SEVERAL_RACES,
    SEXES,
    USER_ROLES,
)
from roster_etl.vendors.oneroster.demographics import RACE_COLUMNS

_STUDENT = ("student",)
_IDS: dict[str, Expression] = {"user_kind": Const("user"), "user_id": From("sourcedId")}


def _end(column: str) -> IfOption:
    """Return the exclusive end of the day in `column`, by the option that says what an end is."""
    return IfOption(
        option="end_dates",
        equals="inclusive",
        then=From(column, via=day_end, option="time_zone"),
        otherwise=From(column, via=day_start, option="time_zone"),
    )


_LISTS: dict[str, Expression] = {
    "grades": From("grades", via=json_list(GRADES)),
    "subjects": From("subjects", via=json_list()),
    "subject_codes": From("subjectCodes", via=json_list()),
}
# Whether a user is a student: by the role of 1.1, or by a row of roles.csv.
_ROLE_OF_STUDENT = Lookup(
    file="roles",
    on="sourcedId",
    key="userSourcedId",
    take={"student_role": "role"},
    where=RowCondition(column="role", values=_STUDENT),
)
_STUDENT_OR_NOT = Computed(name="student", columns=("role", "student_role"), via=coalesce)
_DEMOGRAPHICS = (
    "birthDate",
    "sex",
    *RACE_COLUMNS,
    "demographicRaceTwoOrMoreRaces",
    "hispanicOrLatinoEthnicity",
    "countryOfBirthCode",
    "stateOfBirthAbbreviation",
    "cityOfBirth",
    "publicSchoolResidenceStatus",
)

MAPPINGS: tuple[Mapping, ...] = (
    Mapping(
        source="orgs",
        to="organizations",
        extensions=True,
        columns={
            "organization_id": From("sourcedId"),
            "type": From("type"),
            "name": From("name"),
            "number": From("identifier"),
            "parent_organization_id": From("parentSourcedId"),
        },
    ),
    Mapping(
        source="academicSessions",
        to="terms",
        extensions=True,
        columns={
            "term_id": From("sourcedId"),
            "name": From("title"),
            "start_at": From("startDate", via=day_start, option="time_zone"),
            "end_at": _end("endDate"),
            "type": From("type"),
            "parent_term_id": From("parentSourcedId"),
            "school_year": From("schoolYear", via=school_year_end),
        },
    ),
    Mapping(
        source="users",
        to="users",
        extensions=True,
        steps=(
            WarnUnmatched(
                columns=("sourcedId",),
                file="roles",
                keys=("userSourcedId",),
                code="missing_role",
                message="The user has no role in roles.csv.",
                unless="role",
            ),
            WarnUnmatched(
                columns=("sourcedId", "primaryOrgSourcedId"),
                file="roles",
                keys=("userSourcedId", "orgSourcedId"),
                code="missing_role",
                message="The user has no role at the organization that is named as the main one.",
            ),
        ),
        columns={
            **_IDS,
            "number": From("identifier"),
            "first_name": From("givenName"),
            "middle_name": From("middleName"),
            "last_name": From("familyName"),
            "preferred_first_name": From("preferredGivenName"),
            "preferred_middle_name": From("preferredMiddleName"),
            "preferred_last_name": From("preferredFamilyName"),
            "full_name": From("givenName", "familyName", via=joined(" "), derived=True),
            "email": From("email"),
            "username": From("username"),
            "pronouns": From("pronouns"),
            "phone": From("phone"),
            "status": From("enabledUser", via=recode(ENABLED)),
            "master_id": From("userMasterIdentifier"),
            "sms": From("sms"),
            "primary_organization_id": From("primaryOrgSourcedId"),
        },
    ),
    Mapping(
        source="users",
        to="user_identifiers",
        merges=True,
        steps=(SplitList(column="userIds", value="pair", position="place"),),
        columns={
            **_IDS,
            "type": From("pair", via=pair_type),
            "identifier": From("pair", via=pair_id),
        },
    ),
    Mapping(
        source="roles",
        to="user_roles",
        extensions=True,
        merges=True,
        columns={
            **user_key("user", "userSourcedId"),
            "organization_id": From("orgSourcedId"),
            "role": From("role"),
            "is_primary": From("roleType", via=recode(ROLE_TYPES)),
            "role_id": From("sourcedId"),
            "start_at": From("beginDate", via=day_start, option="time_zone"),
            "end_at": _end("endDate"),
            "login_user_id": From("userProfileSourcedId"),
        },
    ),
    Mapping(
        source="users",
        to="user_roles",
        is_fallback=True,
        note="Of an upload of 1.1, which has no roles.csv: one row for each organization.",
        steps=(OnlyRows(column="role"), SplitList(column="orgSourcedIds", value="org", position="place")),
        columns={
            **_IDS,
            "organization_id": From("org"),
            "role": From("role", via=recode(USER_ROLES)),
        },
    ),
    Mapping(
        source="users",
        to="student_profiles",
        note="Of students only.",
        steps=(
            _ROLE_OF_STUDENT,
            _STUDENT_OR_NOT,
            OnlyRows(
                column="student",
                values=_STUDENT,
                code="not_a_student",
                message="The user is no student; the values were not kept.",
                given=("grades",),
            ),
            Lookup(
                file="demographics",
                on="sourcedId",
                key="sourcedId",
                take={name: name for name in _DEMOGRAPHICS},
                accepted=True,
            ),
        ),
        columns={
            **_IDS,
            "grade": FirstOf(
                From("grades", via=only_item(GRADES)),
                From("grades", via=first_item(GRADES), derived=True),
            ),
            "gender": From("sex", via=recode(SEXES)),
            "birth_date": From("birthDate", via=parse_us_or_iso_date),
            "race": From(*RACE_COLUMNS, "demographicRaceTwoOrMoreRaces", via=flagged_code(RACE_CODES, SEVERAL_RACES)),
            "hispanic": From("hispanicOrLatinoEthnicity", via=recode(FLAGS)),
            "grades": From("grades", via=json_list(GRADES)),
            "sex": From("sex"),
            "races": From(*RACE_COLUMNS, via=flagged_codes(RACE_CODES)),
            "birth_country": From("countryOfBirthCode"),
            "birth_state": From("stateOfBirthAbbreviation"),
            "birth_city": From("cityOfBirth"),
            "residence_status": From("publicSchoolResidenceStatus"),
        },
    ),
    Mapping(
        source="demographics",
        to="student_profiles",
        is_fallback=True,
        note="Only to report demographics of somebody who is no student; the values come with the user.",
        steps=(
            Lookup(file="users", on="sourcedId", key="sourcedId", take={"role": "role"}),
            _ROLE_OF_STUDENT,
            _STUDENT_OR_NOT,
            OnlyRows(
                column="student",
                values=_STUDENT,
                code="not_a_student",
                message="The user is no student; the values were not kept.",
                given=_DEMOGRAPHICS,
            ),
        ),
        columns=_IDS,
    ),
    Mapping(
        source="users",
        to="contacts",
        note="A parent is a user like others; for each student who names one, a contact is derived as well.",
        steps=(
            _ROLE_OF_STUDENT,
            _STUDENT_OR_NOT,
            OnlyRows(column="student", values=_STUDENT),
            SplitList(column="agentSourcedIds", value="agent", position="place"),
            Lookup(
                file="users",
                on="agent",
                key="sourcedId",
                take={
                    "agent_given": "givenName",
                    "agent_family": "familyName",
                    "agent_email": "email",
                    "agent_phone": "phone",
                    "agent_sms": "sms",
                    "agent_role": "role",
                },
            ),
            Lookup(
                file="roles",
                on="agent",
                key="userSourcedId",
                take={"agent_contact_role": "role"},
                where=RowCondition(column="role", values=CONTACT_ROLES),
            ),
            Computed(name="relationship", columns=("agent_role", "agent_contact_role"), via=coalesce),
            OnlyRows(
                column="relationship",
                values=CONTACT_ROLES,
                code="unmapped_agent",
                message="The agent's role is not that of a parent, guardian or relative; no contact was derived.",
                given=("agent",),
            ),
        ),
        columns={
            **_IDS,
            "contact_id": From("agent"),
            "name": From("agent_given", "agent_family", via=joined(" "), derived=True),
            "relationship": From("relationship", derived=True),
            "phone": FirstOf(From("agent_phone", derived=True), From("agent_sms", derived=True)),
            "email": From("agent_email", derived=True),
            "position": From("place", via=parse_integer, derived=True),
            "contact_user_id": From("agent"),
        },
    ),
    Mapping(
        source="courses",
        to="courses",
        extensions=True,
        columns={
            "course_id": From("sourcedId"),
            "organization_id": From("orgSourcedId"),
            "term_id": From("schoolYearSourcedId"),
            "number": From("courseCode"),
            "name": From("title"),
            "status": ACTIVE,
            **_LISTS,
        },
    ),
    Mapping(
        source="classes",
        to="sections",
        extensions=True,
        steps=(
            EnclosingItem(
                column="termSourcedIds",
                name="whole_term",
                file="academicSessions",
                key="sourcedId",
                start="startDate",
                end="endDate",
            ),
        ),
        columns={
            "section_id": From("sourcedId"),
            "course_id": From("courseSourcedId"),
            "home_course_id": From("courseSourcedId"),
            "organization_id": From("schoolSourcedId"),
            "term_id": FirstOf(From("termSourcedIds", via=only_item()), From("whole_term", derived=True)),
            "name": From("title"),
            "number": From("classCode"),
            "period": From("periods"),
            "subject": FirstOf(From("subjects", via=only_item()), From("subjects", via=first_item(), derived=True)),
            "grade": FirstOf(
                From("grades", via=only_item(GRADES)),
                From("grades", via=lowest_item(GRADES, GRADE_ORDER), derived=True),
            ),
            "class_type": From("classType"),
            "location": From("location"),
            **_LISTS,
        },
    ),
    Mapping(
        source="classes",
        to="section_terms",
        steps=(SplitList(column="termSourcedIds", value="term", position="place"),),
        columns={
            "section_id": From("sourcedId"),
            "term_id": From("term"),
            "position": From("place", via=parse_integer),
        },
    ),
    Mapping(
        source="enrollments",
        to="enrollments",
        extensions=True,
        steps=(
            CurrentSpan(by=("classSourcedId", "userSourcedId", "role"), begin="beginDate", end="endDate"),
            Lookup(
                file="classes",
                on="classSourcedId",
                key="sourcedId",
                take={"course": "courseSourcedId", "class_school": "schoolSourcedId"},
            ),
            WarnIfDifferent(
                column="schoolSourcedId",
                other="class_school",
                code="id_mismatch",
                message="The class belongs to another school; the enrollment counts as given.",
            ),
        ),
        columns={
            "course_id": From("course"),
            "section_id": From("classSourcedId"),
            **user_key("user", "userSourcedId"),
            "role": From("role"),
            "is_primary": From("primary", via=recode(FLAGS)),
            "organization_id": From("schoolSourcedId"),
            "start_at": From("beginDate", via=day_start, option="time_zone"),
            "end_at": _end("endDate"),
            "status": IfOption(
                option="end_dates",
                equals="inclusive",
                then=FirstOf(
                    From("endDate", via=completed_after_last_day, option=RECEIVED_ON, derived=True),
                    Const("active", derived=True),
                ),
                otherwise=FirstOf(
                    From("endDate", via=completed_when_past, option=RECEIVED_ON, derived=True),
                    Const("active", derived=True),
                ),
            ),
            "enrollment_id": From("sourcedId"),
        },
    ),
    Mapping(
        source="userProfiles",
        to="logins",
        extensions=True,
        kept_as_extensions=("profileType", "credentialType", "description", "applicationId"),
        columns={
            "login_user_id": From("sourcedId"),
            **user_key("user", "userSourcedId"),
            "username": From("username"),
            "authentication_provider_id": FirstOf(From("vendorId"), From("applicationId")),
        },
    ),
)
