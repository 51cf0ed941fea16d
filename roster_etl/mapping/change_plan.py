"""The language of changes: what a row of a format of changes does to the records that are there.

Belongs here: the facts that are regular, as data: which column gives what, what a blank cell does, which words end a record,
what must exist. How rows are applied, and what is irregular (cross-listing, logins that change hands), lives in
``engine.changes``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from roster_etl.canonical.roster import TABLES
from roster_etl.mapping.column_plan import Function

BlankEffect = Literal["clears", "keeps"]
DeletedEffect = Literal["refuse", "warn", "accept"]


@dataclass(frozen=True, kw_only=True)
class ChangeColumn:
    """One column of a vendor's file, and what it gives: a column of the table, or a word that the kind's verb knows.

    ``blank``: what an empty cell does to a known record (an absent column leaves values alone, always). ``via``: how the text
    is read. ``needed``: the record cannot do without it: ``new``: when it is made; ``live``: whenever it does not end.
    ``unique``: no two live records of the table have the same. ``clear``: the word that clears the value.
    """

    column: str
    to: str
    blank: BlankEffect = "clears"
    via: Function | None = None
    needed: Literal["never", "new", "live"] = "never"
    unique: bool = False
    clear: str | None = None


@dataclass(frozen=True, kw_only=True)
class ReferenceRule:
    """The value of ``to`` names a record of ``table``. ``deleted``: what comes of one that is deleted; ``unknown``: of one that
    never was. ``warn``: the row applies, and the stored value stays.
    """

    to: str
    table: str
    deleted: DeletedEffect = "refuse"
    deleted_code: str = "deleted_reference"
    unknown: Literal["refuse", "warn"] = "refuse"


@dataclass(frozen=True, kw_only=True)
class RowKind:
    """One kind of file: rows that change ``table`` by ``handler``.

    ``key``: the names (``Given.to``) that tell a record; ``statuses``: the words of the status column, in lower case → the
    status of the record, ``deleted`` for its end; ``protected_together``: groups of columns that a steward's edit of one freezes;
    ``protects_deletion``: an edit of the status keeps the record from being deleted, too.
    """

    name: str
    handler: str
    table: str
    key: tuple[str, ...]
    columns: tuple[ChangeColumn, ...]
    statuses: Mapping[str, str] = field(default_factory=dict)
    references: tuple[ReferenceRule, ...] = ()
    protected_together: tuple[tuple[str, ...], ...] = ()
    protects_deletion: bool = False

    def __post_init__(self) -> None:
        names = [given.to for given in self.columns]
        if len(set(names)) != len(names):
            raise ValueError(f"{self.name}: two columns give the same")
        if missing := {*self.key, *(r.to for r in self.references)} - set(names):
            raise ValueError(f"{self.name}: no column gives {', '.join(sorted(missing))}")

    def change_column(self, name: str) -> ChangeColumn:
        """Return what gives `name`. Raises KeyError."""
        return self._by_name[name]

    def column(self, name: str) -> str:
        """Return the vendor's column that gives `name`, or `name` itself."""
        found = self._by_name.get(name)
        return found.column if found else name

    @property
    def _by_name(self) -> dict[str, ChangeColumn]:
        return {given.to: given for given in self.columns}


@dataclass(frozen=True, kw_only=True)
class RoleNames:
    """Words for roles: ``built_in``: word in lower case → role; ``by_name``: exact words → role."""

    built_in: Mapping[str, str]
    by_name: Mapping[str, str] = field(default_factory=dict)
    account_roles: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ChangePlan:
    """How a format of changes is folded over what is there.

    ``kinds`` in the order of loading. ``fixed``: columns that have one value in all records of a table. ``entities``: the
    format's word for what has an id → the table. ``batch_mode_kinds``: kinds that a clean-up by term covers, in its order.
    """

    kinds: tuple[RowKind, ...]
    fixed: Mapping[str, Mapping[str, object]]
    entities: Mapping[str, str]
    roles: RoleNames
    batch_mode_kinds: tuple[str, ...] = ()

    def kind(self, name: str) -> RowKind:
        """Return the kind `name`. Raises KeyError."""
        for kind in self.kinds:
            if kind.name == name:
                return kind
        raise KeyError(name)

    def lineage(self, table: str) -> dict[str, tuple[tuple[str, str], ...]]:
        """Return the lineage: what is given for `table` → the (file, column) pairs that give it.

        Names that are no column of the table say what becomes of its record.
        """
        made: dict[str, list[tuple[str, str]]] = {}
        for kind in self.kinds:
            for given in kind.columns if kind.table == table else ():
                made.setdefault(given.to, []).append((kind.name, given.column))
        return {target: tuple(pairs) for target, pairs in made.items()}

    def tables(self) -> tuple[str, ...]:
        """Return the tables that the kinds change."""
        return tuple(dict.fromkeys(kind.table for kind in self.kinds))


# Tables that follow from rows of other tables.
_DERIVED_TABLES = ("id_changes", "term_dates")


def changed_tables(plan: ChangePlan) -> tuple[str, ...]:
    """Return the tables that a fold by `plan` fills, in publishing order."""
    filled = {*plan.tables(), *_DERIVED_TABLES}
    return tuple(name for name in TABLES if name in filled)
