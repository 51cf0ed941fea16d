"""users.csv, as the CSV Binding states it: 4.21 in 1.2, with roles in a file of their own, and the columns of 1.1."""

from typing import Any

from roster_etl.spec import Choice, Column, Email, File, Identity, ListOf, Reference, SelfReference
from roster_etl.vendors.oneroster.codes import ENABLED, GRADE_OPTIONS, USER_ROLES
from roster_etl.vendors.oneroster.common import COMMON, DATA_FILE

_ENABLED = Column("enabledUser", required=True, cell_format=Choice((*ENABLED,)), note="Whether the user may log in.")
_USERNAME = Column("username", required=True, note="The name to log in with.")
_NAMES = (
    Column("userIds", cell_format=ListOf(pairs=True), note="Further ids, each as {type:id}."),
    Column("givenName", required=True, note="First name."),
    Column("familyName", required=True, note="Last name."),
    Column("middleName", note="Middle names, separated by blanks."),
    Column("identifier", note="A number that people know."),
    Column("email", cell_format=Email(), note="E-mail address."),
    Column("sms", note="Phone number for text messages; any text."),
    Column("phone", note="Phone number; any text."),
    Column("agentSourcedIds", cell_format=ListOf(), note="The users who are parents, guardians or relatives of this one."),
    Column("grades", cell_format=ListOf(Choice(GRADE_OPTIONS)), note="Grades; of students."),
    Column("password", secret=True, note="Never read, blanked before anything is stored."),
)
_NOT_IN_1_2 = ("role", "orgSourcedIds")
_NOT_LOADED = "Resources are not loaded."

_BOTH_VERSIONS: dict[str, Any] = {
    "name": "users",
    "file_name": "users.csv",
    "title": "Everybody: students, teachers, parents and others",
    "identity": Identity(columns=("givenName", "familyName", "email", "username", "identifier")),
    "rules": (SelfReference(column="agentSourcedIds", key="sourcedId", loops=True),),
    **DATA_FILE,
}

USERS = File(
    source="4.21",
    columns=(
        *COMMON,
        _ENABLED,
        _USERNAME,
        *_NAMES,
        Column("userMasterIdentifier", note="The user's id across systems."),
        Column(
            "resourceSourcedIds",
            header_optional=True,
            unmapped=_NOT_LOADED,
            note="In the text of 1.2; its official samples do without.",
        ),
        Column("preferredGivenName", misspellings=("prefferedGivenName",), note="The first name that the user goes by."),
        Column("preferredMiddleName", misspellings=("prefferedMiddleName",), note="The middle name that the user goes by."),
        Column("preferredFamilyName", misspellings=("prefferedFamilyName",), note="The last name that the user goes by."),
        Column(
            "primaryOrgSourcedId",
            references=Reference("orgs", "sourcedId"),
            note="The organization that the user mainly belongs to.",
        ),
        Column("pronouns", note="Pronouns."),
    ),
    ignored_columns=_NOT_IN_1_2,
    **_BOTH_VERSIONS,
)

USERS_OF_1_1 = File(
    source="1.1",
    columns=(
        *COMMON,
        _ENABLED,
        Column(
            "orgSourcedIds",
            required=True,
            cell_format=ListOf(),
            references=Reference("orgs", "sourcedId"),
            note="The organizations that the user belongs to.",
        ),
        Column("role", required=True, cell_format=Choice((*USER_ROLES,), code="unknown_role"), note="What the user is."),
        _USERNAME,
        *_NAMES,
    ),
    **_BOTH_VERSIONS,
)
