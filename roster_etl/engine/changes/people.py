"""Apply rows of people: one login each, which may pass to another person, and further logins of the same person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.changes.change_findings import RowRejected
from roster_etl.engine.changes.change_rows import Row
from roster_etl.engine.changes.id_changes import record_id_change
from roster_etl.engine.changes.person_names import NAME_COLUMNS, NAME_PARTS, derive_names, names_with_edits
from roster_etl.engine.changes.renames import RenamedRecord, rename_references
from roster_etl.engine.changes.state import State, UniqueIndex, next_integration_id, stated_values, status_of
from roster_etl.engine.changes.working_table import WorkingRecord
from roster_etl.mapping.change_plan import RowKind

OF_PERSON = ("first_name", "last_name", "full_name", "sortable_name", "short_name", "email")
"""What the rows of one person should agree about, whichever of the person's ids they name."""
CLAIM_OPTION = "update_sis_id_if_login_claimed"
PERSON_REFERENCES = (
    ("enrollments", ("user_id", "associated_user_id")),
    ("group_memberships", ("user_id",)),
    ("user_roles", ("user_id",)),
    ("observers", ("observer_id", "student_id")),
)


def apply_people(state: State, kind: RowKind) -> None:
    """Apply rows of people."""
    rows = _PeopleChanges(state, kind)
    state.apply_rows(kind, rows.apply)
    end_participation(state, rows.ended)
    rename_references(state, [renamed for renamed in rows.renamed.values() if renamed.old != renamed.new], ("users",))


def apply_logins(state: State, kind: RowKind) -> None:
    """Apply rows of further logins: each is added to an existing person."""
    register = LoginIndex(state)
    table = state.table(kind.table)

    def apply(row: Row) -> None:
        key, name = row.get("login_user_id"), row.get("username")
        if register.find_person(key) is not None or table.find_live(key) is not None:
            raise RowRejected("already_exists", "The login's id is in use.", about="login_user_id")
        person = _login_owner(state, register, row)
        holder = (kind.table, key)
        register.names.check(name.lower(), holder)
        register.ids.check(row.get("integration_id"), holder)
        values = stated_values(kind, row, table.target.names) | {"user_id": person}
        state.upsert(kind, row, key, values)
        register.names.add(name.lower(), holder)
        register.ids.add(row.get("integration_id"), holder)

    state.apply_rows(kind, apply)


def _login_owner(state: State, register: LoginIndex, row: Row) -> str:
    """Return the person that all references of the row agree on. Raises RowRejected."""
    found: set[str] = set()
    for name in ("user_id", "user_integration_id"):
        given = row.get(name)
        if given is None:
            continue
        if name == "user_id":
            state.require_clear_id(row, name, "users")
        person = register.find_live_person(given) if name == "user_id" else register.find_by_integration_id(given)
        if person is None:
            raise RowRejected(
                "unknown_reference", "No live user has this id.", about=name, cause=state.find_cause("users", given, row)
            )
        found.add(person)
    if not found:
        raise RowRejected("unknown_reference", "The vendor's own ids of users are not known here.", about="vendor_user_id")
    if len(found) > 1:
        raise RowRejected("id_mismatch", "The ids name different users.", about="user_id")
    return found.pop()


class LoginIndex:
    """The owners of login names and integration ids, of people and their further logins together."""

    def __init__(self, state: State) -> None:
        self.users, self.logins = state.table("users"), state.table("logins")
        self.names = UniqueIndex(
            "login_taken",
            "username",
            "Another user has this login.",
            find_origin=self._changed_by,
            advice=state.id_change_advice(CLAIM_OPTION),
        )
        self.ids = UniqueIndex(
            "integration_id_taken", "integration_id", "Another user has this integration id.", find_origin=self._changed_by
        )
        self.more: Counter[str] = Counter()
        for key, name, second in self.users.live_values("username", "integration_id"):
            self._add(("users", key), name, second)
        for key, name, second, user in self.logins.live_values("username", "integration_id", "user_id"):
            self._add(("logins", key), name, second)
            self.more[user] += 1

    def _add(self, holder: tuple[str, str], name: str | None, second: str | None) -> None:
        self.names.add(name.lower() if name else None, holder)
        self.ids.add(second, holder)

    def _changed_by(self, holder: tuple[str, str]) -> tuple[str | None, int | None] | None:
        """Return the row of this upload that changed a holder last."""
        table, key = holder
        return (self.users if table == "users" else self.logins).changed_by(key)

    def find_person(self, key: str) -> str | None:
        """Return the person for an id, deleted or not: the id is the person's own, or that of a further login."""
        if self.users.find(key) is not None:
            return key
        login = self.logins.find_live(key)
        return login.values["user_id"] if login else None

    def find_live_person(self, key: str) -> str | None:
        """Return the live person for an id."""
        person = self.find_person(key)
        return person if person is not None and self.users.find_live(person) is not None else None

    def find_by_integration_id(self, value: str) -> str | None:
        """Return the live person with an integration id."""
        holder = self.ids.held.get(value)
        return None if holder is None else self.find_live_person(holder[1])


class _PeopleChanges:
    def __init__(self, state: State, kind: RowKind) -> None:
        self.state, self.kind = state, kind
        self.register = LoginIndex(state)
        self.users, self.logins = self.register.users, self.register.logins
        self.ended: set[str] = set()  # ids as at the start
        self.first_id: dict[str, str] = {}
        self.renamed: dict[str, RenamedRecord] = {}
        self.last_rows: dict[str, Row] = {}  # person → the last row of the upload about her or him, where there may be several
        self.repeated = _repeated([read.columns["user_id"] for read in state.reads.get(kind.name, ())])
        self.claims = bool(state.options.get(CLAIM_OPTION))

    def apply(self, row: Row) -> None:
        key, status = row.get("user_id"), status_of(row)
        if self.users.find(key) is None and self.logins.find(key) is not None:
            self._apply_further_login(row, key, status)
        elif status == "deleted":
            self._end_person(row, key)
        else:
            self._upsert_person(row, key, status)

    def _upsert_person(self, row: Row, key: str, status: str) -> None:
        name = row.get("username")
        now = self._login_holder(key, name) or key
        record = self.users.find(now)
        values = self._person_values(row, now, record) | {"status": status, "username": name}
        shown = self.state.protected_edits.is_protected("users", {"user_id": now}, "username") and record
        if not shown and name is not None:
            self.register.names.check(name.lower(), ("users", now))
        self.register.ids.check(next_integration_id(values, record), ("users", now))
        if record is not None and now != key:
            self._give_new_id(row, now, key, record)
        holder = ("users", key)
        was = dict(record.values) if record is not None and record.alive else {}
        self._compare(row, key)
        after = self.state.upsert(self.kind, row, key, values).values
        self.register.names.move(_lower(was.get("username")), _lower(after["username"]), holder)
        self.register.ids.move(was.get("integration_id"), after["integration_id"], holder)

    def _compare(self, row: Row, person: str) -> None:
        """Report what a row says of a person otherwise than an earlier row of the upload: by another id, or with another login, too."""
        key = row.get("user_id")
        if not (self.claims or key in self.repeated or self.register.more[person]):
            return
        before = self.last_rows.get(person)
        self.last_rows[person] = row
        if before is None or (before.get("user_id") == key and _same(before, row, "username")):
            return
        message = f"Row {before.number} says something else about the same person, by another id or with another login; this row counts."
        for name in OF_PERSON:
            if before.get(name) and row.get(name) and not _same(before, row, name):
                self.state.log.warn_row(self.kind, row, "conflicting_rows", message, name)

    def _person_values(self, row: Row, person: str, record: WorkingRecord | None) -> dict[str, Any]:
        values = stated_values(self.kind, row, self.users.target.names)
        before = record.values if record else None
        edited = (
            {n for n in (*NAME_COLUMNS, *NAME_PARTS) if self.state.protected_edits.is_protected("users", {"user_id": person}, n)}
            if record
            else set()
        )
        made = derive_names(names_with_edits(values, before or {}, edited), before, row.get("username"))
        return {**values, **{n: v for n, v in made.items() if n not in edited}}

    def _login_holder(self, key: str, name: str | None) -> str | None:
        """Return the user with the login that a new user requests, if the option lets the new one take it over."""
        if not self.claims or name is None or self.users.find(key) is not None:
            return None
        table, holder = self.register.names.held.get(name.lower(), (None, None))
        return holder if table == "users" else None

    def _give_new_id(self, row: Row, holder: str, key: str, record: WorkingRecord) -> None:
        """Give the owner of the login that a new user requests the new user's id."""
        self.first_id[key] = self.first_id.pop(holder, holder)
        self.last_rows |= {key: self.last_rows.pop(holder)} if holder in self.last_rows else {}
        self.users.rename_record(holder, key, row.origin)
        self.register.names.add(_lower(record.values["username"]), ("users", key))
        self.register.ids.move(record.values["integration_id"], record.values["integration_id"], ("users", key))
        self.state.protected_edits.follow_id_change("users", holder, key)
        record_id_change(self.state, "users", holder, key, row.origin)
        first = self.first_id[key]
        self.renamed[first] = RenamedRecord(entity="users", old=first, new=key, origin=row.origin)
        self._rename_owner(holder, key, row)

    def _rename_owner(self, old: str, new: str, row: Row) -> None:
        self.register.more[new] += self.register.more.pop(old, 0)
        for login, user in self.logins.live_values("user_id") if self.register.more[new] else ():
            if user == old:
                self.logins.upsert(login, {"user_id": new}, row.origin)

    def _end_person(self, row: Row, key: str) -> None:
        record = self.users.find_live(key)
        if record is None:
            self.state.end_record(self.kind, row, key)
            return
        name, second = record.values["username"], record.values["integration_id"]
        if self.register.more[key]:  # the person stays, with another login
            self.state.upsert(self.kind, row, key, {"username": None})
        elif self.state.end_record(self.kind, row, key):
            self._mark_ended(key, record)
            self.register.ids.move(second, None, ("users", key))
        else:
            return
        self.register.names.move(_lower(name), None, ("users", key))

    def _mark_ended(self, key: str, record: WorkingRecord) -> None:
        if record.at >= 0:
            self.ended.add(self.first_id.get(key, key))

    def _apply_further_login(self, row: Row, key: str, status: str) -> None:
        """Apply a row about a further login: it changes the login's columns, and the person's names."""
        login = self.logins.find(key)
        if login is None:
            return
        user, holder, was = login.values["user_id"], ("logins", key), dict(login.values) if login.alive else {}
        if status == "deleted":
            if login.alive:
                self._end_further(row, key, user, holder, was)
            return
        person = self.users.find_live(user)
        if person is None:
            raise RowRejected("deleted_reference", "The user whom the login belongs to is deleted.", about="user_id")
        name, second = row.get("username"), row.get("integration_id")
        self.register.names.check(_lower(name), holder)
        self.register.ids.check(second or login.values["integration_id"], holder)
        own = {"username": name, **({"integration_id": second} if second else {})}
        self.logins.upsert(key, own, row.origin)
        self.register.names.move(_lower(was.get("username")), _lower(name), holder)
        self.register.ids.move(was.get("integration_id"), login.values["integration_id"], holder)
        self.register.more[user] += not was
        self._compare(row, user)
        rest = {n: v for n, v in self._person_values(row, user, person).items() if n not in own and n != "status"}
        self.state.upsert(self.kind, row, user, rest)

    def _end_further(self, row: Row, key: str, user: str, holder: tuple[str, str], was: dict[str, Any]) -> None:
        self.logins.end_record(key, "deleted", row.origin)
        self.register.names.move(_lower(was["username"]), None, holder)
        self.register.ids.move(was["integration_id"], None, holder)
        self.register.more[user] -= 1
        person = self.users.find_live(user)
        if person is not None and person.values["username"] is None and not self.register.more[user]:
            self.users.end_record(user, "deleted", row.origin)
            self._mark_ended(user, person)


def end_participation(state: State, ids: set[str]) -> None:
    """End the enrollments and memberships of deleted people; restoring the people does not restore these."""
    for name, columns in PERSON_REFERENCES if ids else ():
        state.cascade(name, columns, ids)


def _repeated(ids: Sequence[pa.Array]) -> set[str]:
    """Return the ids that several rows of an upload have."""
    counts = pc.value_counts(pa.concat_arrays([*ids, pa.array([], pa.string())]))
    return set(counts.filter(pc.greater(counts.field("counts"), 1)).field("values").to_pylist())


def _same(one: Row, other: Row, name: str) -> bool:
    """Tell whether two rows say the same of a person; case does not count."""
    return (one.get(name) or "").casefold() == (other.get(name) or "").casefold()


def _lower(name: str | None) -> str | None:
    return name.lower() if name else None
