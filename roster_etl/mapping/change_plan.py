"""Types that declare how rows of a delta format change existing records.

``engine.changes`` applies the rows and implements the irregular rules (cross-listing, logins that move between users).
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
    """One column of a vendor's file, and what it gives: a column of the table, or a word that the kind's verb knows; by default of its own name.

    - ``blank``: the effect of an empty cell on an existing record (an absent column never changes a value)
    - ``via``: the function that parses the text
    - ``needed``: when the record requires a value: ``new``: when it is created; ``live``: in every row that does not delete it
    - ``unique``: no two live records of the table have the same value
    - ``clear``: the cell value that clears the stored value
    """

    column: str = field(kw_only=False)
    to: str = ""
    blank: BlankEffect = "clears"
    via: Function | None = None
    needed: Literal["never", "new", "live"] = "never"
    unique: bool = False
    clear: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "to", self.to or self.column)


@dataclass(frozen=True, kw_only=True)
class ReferenceRule:
    """A reference: the value of ``to`` must identify a record of ``table``.

    ``deleted``: what happens if that record is deleted; ``unknown``: what happens if it never existed. With ``warn`` the row
    applies and the stored value stays.
    """

    to: str
    table: str
    deleted: DeletedEffect = "refuse"
    deleted_code: str = "deleted_reference"
    unknown: Literal["refuse", "warn"] = "refuse"


@dataclass(frozen=True, kw_only=True)
class RowKind:
    """One kind of file: its rows change ``table`` by ``handler``.

    - ``key``: the names (``ChangeColumn.to``) that identify a record
    - ``statuses``: value of the status column, in lower case → status of the record; ``deleted`` deletes it
    - ``protected_together``: groups of columns that are all protected once a steward has edited one of them
    - ``protects_deletion``: a manual edit of the status also protects the record from being deleted
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

    def column(self, name: str) -> str:
        """Return the vendor's column whose target is `name`, or `name` itself."""
        found = self._by_name.get(name)
        return found.column if found else name

    @property
    def _by_name(self) -> dict[str, ChangeColumn]:
        return {given.to: given for given in self.columns}


@dataclass(frozen=True, kw_only=True)
class RoleNames:
    """Names of roles: ``built_in``: name in lower case → role; ``by_name``: exact name → role."""

    built_in: Mapping[str, str]
    by_name: Mapping[str, str] = field(default_factory=dict)
    account_roles: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ChangePlan:
    """How the changes of a delta format are applied to the current state.

    - ``kinds``: in the order of loading
    - ``fixed``: columns that have one value in all records of a table
    - ``entities``: the format's name for a type of record that has an ID → the table
    - ``batch_mode_kinds``: the kinds that a batch-mode cleanup by term covers, in its order
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
        """Return the lineage of `table`: target name → the (file, column) pairs that supply it.

        Names that are not columns of the table control what happens to its records.
        """
        made: dict[str, list[tuple[str, str]]] = {}
        for kind in self.kinds:
            for given in kind.columns if kind.table == table else ():
                made.setdefault(given.to, []).append((kind.name, given.column))
        return {target: tuple(pairs) for target, pairs in made.items()}

    def tables(self) -> tuple[str, ...]:
        """Return the tables that the kinds change."""
        return tuple(dict.fromkeys(kind.table for kind in self.kinds))


# Tables that are derived from rows of other tables.
_DERIVED_TABLES = ("id_changes", "term_dates")


def changed_tables(plan: ChangePlan) -> tuple[str, ...]:
    """Return the tables that applying `plan` fills, in publishing order."""
    filled = {*plan.tables(), *_DERIVED_TABLES}
    return tuple(name for name in TABLES if name in filled)
