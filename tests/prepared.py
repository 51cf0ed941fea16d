"""What is the same for every new home and every import is done once by the real code, and tests get its result again.

Belongs here: what stands in for migrations of a new SQLite file, for Dagster's tables in a new home, and for verdicts that were given
before. Each takes as long as a small import does, and most tests begin with a new home. Processes that a test starts do all of it themselves;
a test that is about one of them asks for the real one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import sqlalchemy as sa

    from roster_etl.quality.expectation_result import ExpectationResult
    from roster_etl.quality.gx_client import SuiteRequest

_STORAGE = ("history", "schedules")
_real: dict[str, Callable[..., Any]] = {}


@pytest.fixture(autouse=True, scope="session")
def _prepared_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    from roster_etl.store.warehouse import schema

    folder = tmp_path_factory.mktemp("prepared")
    _real["upgrade"] = schema._upgrade

    @cache
    def statements() -> list[str]:
        return _schema_of_a_new_warehouse(folder / "warehouse.sqlite")

    def upgrade(connection: sa.Connection) -> None:
        import sqlalchemy as sa

        if connection.dialect.name != "sqlite" or sa.inspect(connection).get_table_names():
            _real["upgrade"](connection)
            return
        for statement in statements():
            connection.exec_driver_sql(statement)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "_upgrade", upgrade)
        yield


def _schema_of_a_new_warehouse(path: Path) -> list[str]:
    """Migrate a new file with the real migrations, and return the statements that make its tables and their rows."""
    from roster_etl.store.warehouse.database import Database

    database = Database(f"sqlite:///{path}")
    database.create()
    with database.write() as connection:
        _real["upgrade"](connection)
    database.close()
    with sqlite3.connect(path) as made:
        found = [line for line in made.iterdump() if not line.startswith(("BEGIN", "COMMIT"))]
    made.close()
    return found


@pytest.fixture
def real_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every migration in a test that is about them."""
    from roster_etl.store.warehouse import schema

    monkeypatch.setattr(schema, "_upgrade", _real["upgrade"])


@pytest.fixture(scope="session")
def prepared_storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Copy the files of Dagster's storage into a home that has none. For the packages whose tests run jobs: it imports Dagster."""
    from dagster._core.storage import sqlite_storage

    folder = tmp_path_factory.mktemp("storage")
    made = folder / "made"
    create = sqlite_storage.DagsterSqliteStorage.__init__

    def copy(self: Any, base_dir: str, *args: Any, **named: Any) -> None:
        new = not any((Path(base_dir) / name).exists() for name in _STORAGE)
        if new and made.exists():
            _copy_as_new(made, Path(base_dir))
        create(self, base_dir, *args, **named)
        if new and not made.exists():
            draft = folder / str(threading.get_ident())
            for name in _STORAGE:
                shutil.copytree(Path(base_dir) / name, draft / name)
            draft.rename(made)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite_storage.DagsterSqliteStorage, "__init__", copy)
        yield


def _copy_as_new(made: Path, to: Path) -> None:
    """Copy what a folder has, with the modes that new files get now: the first home may have been made under another umask."""
    for path in sorted(made.rglob("*")):
        new = to / path.relative_to(made)
        new.mkdir(parents=True, exist_ok=True) if path.is_dir() else shutil.copyfile(path, new)


@pytest.fixture(autouse=True, scope="session")
def _remembered_verdicts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Ask Great Expectations once about each verdict table of the whole run, whichever process asks again.

    The child of the gates is a process of its own for every process of tests; what it does to a table of counts is always the same.
    """
    from roster_etl.quality.expectation_result import ExpectationResult
    from roster_etl.quality.gx_client import GX_CLIENT

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "verdicts"
    folder.mkdir(exist_ok=True)
    _real["judge"] = GX_CLIENT.run_expectations

    def judge(suites: Sequence[SuiteRequest]) -> list[tuple[ExpectationResult, ...]]:
        files = [folder / hashlib.sha256(json.dumps(one.to_dict(), sort_keys=True).encode()).hexdigest() for one in suites]
        new = [(file, one) for file, one in zip(files, suites, strict=True) if not file.exists()]
        found = _real["judge"]([one for _, one in new])
        for (file, _), results in zip(new, found, strict=True):
            draft = file.with_suffix(f".{os.getpid()}")
            draft.write_text(json.dumps([(one.passed, one.judged, one.failing) for one in results]), "utf-8")
            draft.replace(file)
        return [
            tuple(ExpectationResult(passed=p, judged=j, failing=f) for p, j, f in json.loads(file.read_text("utf-8")))
            for file in files
        ]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GX_CLIENT, "run_expectations", judge)
        yield


@pytest.fixture
def real_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the child judge every suite in a test that is about it."""
    from roster_etl.quality.gx_client import GX_CLIENT

    monkeypatch.setattr(GX_CLIENT, "run_expectations", _real["judge"])


@pytest.fixture(autouse=True, scope="session")
def _packaged_suites() -> Iterator[None]:
    """Read and check the suites of the package once in a process: no test changes them there."""
    from roster_etl.quality import gate

    real = gate.load_suites
    own = Path(gate.__file__).parents[1] / "expectations"
    packaged = cache(lambda: real(own))

    def load(folder: Path) -> dict[str, dict[str, Any]]:
        return dict(packaged()) if folder.resolve() == own.resolve() else real(folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate, "load_suites", load)
        yield
