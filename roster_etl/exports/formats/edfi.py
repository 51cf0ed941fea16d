"""How the roster is written as JSON Lines of Ed-Fi Data Standard 5 resources, one file a resource, as lightbeam sends them."""

from __future__ import annotations

from roster_etl.exports.plan import ExportFormat, Resource, table_columns
from roster_etl.exports.rules import (
    classes,
    edfi,
    edfi_classes,
    oneroster_classes,
    oneroster_people,
    oneroster_sessions,
    people,
    schools,
)
from roster_etl.exports.rules.words import SCHOOL_YEAR_BEGINS, USER_IDS
from roster_etl.spec import Option

_USER = table_columns("users", "user_id", "first_name", "middle_name", "last_name", "state_id", "full_name", "status")

EXPORT = ExportFormat(
    name="edfi",
    title="Ed-Fi JSON Lines",
    kind="jsonl",
    resources=(
        Resource(
            "schools",
            records=edfi.schools,
            key=("schoolId",),
            holds=table_columns("organizations", "organization_id", "name", "type", "state_id", "number"),
        ),
        Resource(
            "students",
            records=edfi.students,
            key=("studentUniqueId",),
            holds=(*_USER, "student_profiles.birth_date", "student_profiles.user_id"),
        ),
        Resource(
            "studentSchoolAssociations",
            records=edfi.student_schools,
            key=("schoolReference", "studentReference"),
            holds=(*table_columns("user_roles", "user_id", "organization_id", "role", "is_primary"), "student_profiles.grade"),
        ),
        Resource(
            "studentEducationOrganizationAssociations",
            records=edfi.student_organizations,
            key=("educationOrganizationReference", "studentReference"),
            holds=(*table_columns("student_profiles", "sex", "gender", "race", "races", "hispanic"), "users.email"),
        ),
        Resource("staffs", records=edfi.staffs, key=("staffUniqueId",)),
        Resource("staffSchoolAssociations", records=edfi.staff_schools, key=("schoolReference", "staffReference")),
        Resource(
            "sessions",
            records=edfi_classes.session_records,
            key=("schoolReference", "schoolYearTypeReference", "sessionName"),
            holds=("terms.term_id", "terms.name", "terms.start_at", "terms.end_at", "terms.school_year", "terms.type"),
        ),
        Resource(
            "courses",
            records=edfi_classes.courses,
            key=("courseCode", "educationOrganizationReference"),
            holds=("courses.course_id", "courses.name", "courses.organization_id", "courses.number"),
        ),
        Resource(
            "courseOfferings", records=edfi_classes.offerings, key=("localCourseCode", "schoolReference", "sessionReference")
        ),
        Resource(
            "sections",
            records=edfi_classes.sections,
            key=("sectionIdentifier", "courseOfferingReference"),
            holds=table_columns("sections", "section_id", "course_id", "home_course_id", "organization_id", "term_id", "name"),
        ),
        Resource(
            "studentSectionAssociations",
            records=edfi_classes.student_sections,
            key=("sectionReference", "studentReference", "beginDate"),
            holds=table_columns(
                "enrollments",
                "section_id",
                "course_id",
                "user_id",
                "role",
                "organization_id",
                "start_at",
                "end_at",
                "status",
                "is_primary",
            ),
        ),
        Resource("staffSectionAssociations", records=edfi_classes.staff_sections, key=("sectionReference", "staffReference")),
        Resource(
            "contacts",
            records=edfi.contact_records,
            key=("contactUniqueId",),
            holds=table_columns("contacts", "user_id", "contact_id", "name", "email", "phone", "relationship"),
        ),
        Resource("studentContactAssociations", records=edfi.student_contacts, key=("contactReference", "studentReference")),
    ),
    options=(
        USER_IDS,
        SCHOOL_YEAR_BEGINS,
        Option(
            "school_id",
            default="state_id",
            kind="choice",
            choices=("state_id", "number", "organization_id"),
            meaning="Which column is the schoolId, a whole number.",
        ),
        Option(
            "student_id",
            default="state_id",
            kind="choice",
            choices=("state_id", "number", "user_id"),
            meaning="Which column is the studentUniqueId.",
        ),
        Option(
            "descriptors",
            default="{}",
            kind="table",
            meaning='Descriptors in place of the defaults, as a JSON object: {"grade:09": "uri://ed-fi.org/GradeLevelDescriptor#Ninth grade"}.',
        ),
        Option("oneroster_version", default="1.2", kind="choice", choices=("1.2",), meaning="Which words of roles are used."),
    ),
    needs=("users", "organizations", "users.state_id"),
    rules=(
        people.active_enrollments("student", "teacher"),
        schools.only_schools(named=False),
        edfi.numbered_schools,
        people.require("users", "first_name", "last_name"),
        people.only_users("students", "teachers", "others"),
        edfi.identified_students,
        people.one_id_space,
        oneroster_people.roles_from_enrollments,
        edfi.roles_at_schools,
        oneroster_sessions.session_years,
        oneroster_classes.course_titles,
        classes.schools_of_classes,
        classes.courses_have_schools,
        oneroster_sessions.sections_have_terms,
        classes.reset_home_course,
        oneroster_people.demographics,
        edfi.named_contacts,
    ),
)
