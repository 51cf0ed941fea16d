"""Rows of people: one login each, which may change hands, and further logins of the same person.

Belongs here: who has which login and integration id, and what follows when the last login of a person ends.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from roster_etl.engine.changes.change_findings import Refused
from roster_etl.engine.changes.change_rows import Row
from roster_etl.engine.changes.id_changes import note_change
from roster_etl.engine.changes.person_names import MADE, PARTS, in_force, named
from roster_etl.engine.changes.renames import Renamed, apply_renames
from roster_etl.engine.changes.state import State, Unique, given_values, second_id, status_of
from roster_etl.engine.changes.working_table import Record
from roster_etl.mapping.change_plan import RowKind

OF_A_PERSON = (
    ("enrollments", ("user_id", "associated_user_id")),
    ("group_memberships", ("user_id",)),
    ("user_roles", ("user_id",)),
    ("observers", ("observer_id", "student_id")),
)


def people(state: State, kind: RowKind) -> None:
    """Apply rows of people."""
    rows = _People(state, kind)
    state.each(kind, rows.apply)
    end_people(state, rows.ended)
    apply_renames(state, [renamed for renamed in rows.renamed.values() if renamed.old != renamed.new], ("users",))


def logins(state: State, kind: RowKind) -> None:
    """Apply rows of further logins: each is added to a person who is there already."""
    register = Register(state)
    table = state.table(kind.table)

    def apply(row: Row) -> None:
        key, name = row.get("login_user_id"), row.get("username")
        if register.person(key) is not None or table.live(key) is not None:
            raise Refused("already_exists", "The login's id is in use.", about="login_user_id")
        person = _whose(state, register, row)
        holder = (kind.table, key)
        register.names.check(name.lower(), holder)
        register.ids.check(row.get("integration_id"), holder)
        values = given_values(kind, row, table.target.names) | {"user_id": person}
        state.put(kind, row, key, values)
        register.names.add(name.lower(), holder)
        register.ids.add(row.get("integration_id"), holder)

    state.each(kind, apply)


def _whose(state: State, register: Register, row: Row) -> str:
    """Return the person whom all that the row says agree about. Raises Refused."""
    found: set[str] = set()
    for name in ("user_id", "user_integration_id"):
        given = row.get(name)
        if given is None:
            continue
        person = register.alive(given) if name == "user_id" else register.by_integration_id(given)
        if person is None:
            raise Refused("unknown_reference", "No live user has this id.", about=name, cause=state.cause("users", given, row))
        found.add(person)
    if not found:
        raise Refused("unknown_reference", "The vendor's own ids of users are not known here.", about="vendor_user_id")
    if len(found) > 1:
        raise Refused("id_mismatch", "The ids name different users.", about="user_id")
    return found.pop()


class Register:
    """Who has which login name and integration id, people and their further logins together."""

    def __init__(self, state: State) -> None:
        self.users, self.logins = state.table("users"), state.table("logins")
        self.names = Unique("login_taken", "username", "Another user has this login.")
        self.ids = Unique("integration_id_taken", "integration_id", "Another user has this integration id.")
        self.more: Counter[str] = Counter()
        for key, name, second in self.users.live_values("username", "integration_id"):
            self._add(("users", key), name, second)
        for key, name, second, user in self.logins.live_values("username", "integration_id", "user_id"):
            self._add(("logins", key), name, second)
            self.more[user] += 1

    def _add(self, holder: tuple[str, str], name: str | None, second: str | None) -> None:
        self.names.add(name.lower() if name else None, holder)
        self.ids.add(second, holder)

    def person(self, key: str) -> str | None:
        """Return the person that an id names, deleted or not: the id is the person's own, or that of a further login."""
        if self.users.known(key) is not None:
            return key
        login = self.logins.live(key)
        return login.values["user_id"] if login else None

    def alive(self, key: str) -> str | None:
        """Return the live person that an id names."""
        person = self.person(key)
        return person if person is not None and self.users.live(person) is not None else None

    def by_integration_id(self, value: str) -> str | None:
        """Return the live person that an integration id names."""
        holder = self.ids.held.get(value)
        return None if holder is None else self.alive(holder[1])


class _People:
    def __init__(self, state: State, kind: RowKind) -> None:
        self.state, self.kind = state, kind
        self.register = Register(state)
        self.users, self.logins = self.register.users, self.register.logins
        self.ended: set[str] = set()  # ids as at the start
        self.first_id: dict[str, str] = {}
        self.renamed: dict[str, Renamed] = {}
        self.claims = bool(state.options.get("update_sis_id_if_login_claimed"))

    def apply(self, row: Row) -> None:
        key, status = row.get("user_id"), status_of(row)
        if self.users.known(key) is None and self.logins.known(key) is not None:
            self._further(row, key, status)
        elif status == "deleted":
            self._end(row, key)
        else:
            self._put(row, key, status)

    def _put(self, row: Row, key: str, status: str) -> None:
        name = row.get("username")
        now = self._claimed(key, name) or key
        record = self.users.known(now)
        values = self._values(row, now, record) | {"status": status, "username": name}
        shown = self.state.sticky.holds("users", {"user_id": now}, "username") and record
        if not shown and name is not None:
            self.register.names.check(name.lower(), ("users", now))
        self.register.ids.check(second_id(values, record), ("users", now))
        if record is not None and now != key:
            self._claim(row, now, key, record)
        holder = ("users", key)
        was = dict(record.values) if record is not None and record.alive else {}
        after = self.state.put(self.kind, row, key, values).values
        self.register.names.move(_lower(was.get("username")), _lower(after["username"]), holder)
        self.register.ids.move(was.get("integration_id"), after["integration_id"], holder)

    def _values(self, row: Row, person: str, record: Record | None) -> dict[str, Any]:
        values = given_values(self.kind, row, self.users.target.names)
        before = record.values if record else None
        edited = {n for n in (*MADE, *PARTS) if self.state.sticky.holds("users", {"user_id": person}, n)} if record else set()
        made = named(in_force(values, before or {}, edited), before, row.get("username"))
        return {**values, **{n: v for n, v in made.items() if n not in edited}}

    def _claimed(self, key: str, name: str | None) -> str | None:
        """Return the user who has the login that a new user asks for, where the option lets the new one take it."""
        if not self.claims or name is None or self.users.known(key) is not None:
            return None
        table, holder = self.register.names.held.get(name.lower(), (None, None))
        return holder if table == "users" else None

    def _claim(self, row: Row, holder: str, key: str, record: Record) -> None:
        """Give the holder of the login that a new user asks for the new user's id."""
        self.first_id[key] = self.first_id.pop(holder, holder)
        self.users.rename(holder, key, row.origin)
        self.register.names.add(_lower(record.values["username"]), ("users", key))
        self.register.ids.move(record.values["integration_id"], record.values["integration_id"], ("users", key))
        self.state.sticky.follow("users", holder, key)
        note_change(self.state, "users", holder, key, row.origin)
        first = self.first_id[key]
        self.renamed[first] = Renamed(entity="users", old=first, new=key, origin=row.origin)
        self._rename_owner(holder, key, row)

    def _rename_owner(self, old: str, new: str, row: Row) -> None:
        self.register.more[new] += self.register.more.pop(old, 0)
        for login, user in self.logins.live_values("user_id") if self.register.more[new] else ():
            if user == old:
                self.logins.put(login, {"user_id": new}, row.origin)

    def _end(self, row: Row, key: str) -> None:
        record = self.users.live(key)
        if record is None:
            self.state.end(self.kind, row, key)
            return
        name, second = record.values["username"], record.values["integration_id"]
        if self.register.more[key]:  # the person is still there, by another login
            self.state.put(self.kind, row, key, {"username": None})
        elif self.state.end(self.kind, row, key):
            self._leave(key, record)
            self.register.ids.move(second, None, ("users", key))
        else:
            return
        self.register.names.move(_lower(name), None, ("users", key))

    def _leave(self, key: str, record: Record) -> None:
        if record.at >= 0:
            self.ended.add(self.first_id.get(key, key))

    def _further(self, row: Row, key: str, status: str) -> None:
        """A row about a further login: its own columns change, and the person's names."""
        login = self.logins.known(key)
        if login is None:
            return
        user, holder, was = login.values["user_id"], ("logins", key), dict(login.values) if login.alive else {}
        if status == "deleted":
            if login.alive:
                self._end_further(row, key, user, holder, was)
            return
        person = self.users.live(user)
        if person is None:
            raise Refused("deleted_reference", "The user whom the login belongs to is deleted.", about="user_id")
        name, second = row.get("username"), row.get("integration_id")
        self.register.names.check(_lower(name), holder)
        self.register.ids.check(second or login.values["integration_id"], holder)
        own = {"username": name, **({"integration_id": second} if second else {})}
        self.logins.put(key, own, row.origin)
        self.register.names.move(_lower(was.get("username")), _lower(name), holder)
        self.register.ids.move(was.get("integration_id"), login.values["integration_id"], holder)
        self.register.more[user] += not was
        rest = {n: v for n, v in self._values(row, user, person).items() if n not in own and n != "status"}
        self.state.put(self.kind, row, user, rest)

    def _end_further(self, row: Row, key: str, user: str, holder: tuple[str, str], was: dict[str, Any]) -> None:
        self.logins.end(key, "deleted", row.origin)
        self.register.names.move(_lower(was["username"]), None, holder)
        self.register.ids.move(was["integration_id"], None, holder)
        self.register.more[user] -= 1
        person = self.users.live(user)
        if person is not None and person.values["username"] is None and not self.register.more[user]:
            self.users.end(user, "deleted", row.origin)
            self._leave(user, person)


def end_people(state: State, ids: set[str]) -> None:
    """End what people who are gone took part in: it does not come back when they do."""
    for name, columns in OF_A_PERSON if ids else ():
        state.cascade(name, columns, ids)


def _lower(name: str | None) -> str | None:
    return name.lower() if name else None
