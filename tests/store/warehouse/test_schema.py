"""The schema that migrations make is the one that is declared, and a database that is behind says so."""

import os
import re
import sqlite3
import stat
import subprocess
import sys
import threading

import pyarrow as pa
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from roster_etl.canonical import TABLES
from roster_etl.canonical.history import changes_view, current_view
from roster_etl.canonical.sql_types import METADATA
from roster_etl.store import migrations
from roster_etl.store.warehouse import REJECTED_ROWS_SCHEMA, BadWarehouseUrl, SchemaBehind, Warehouse
from roster_etl.store.warehouse.database import Database
from tests.ledgers import in_transaction
from tests.rosters import begin, day, end

pytestmark = pytest.mark.usefixtures("real_migrations")


def objects(path):
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    # A column that was added later stands behind a comma of its own.
    plain = {name: re.sub(r"\s*([(),])\s*", r"\1", " ".join(sql.split())) for name, sql in found}
    return {name: sql for name, sql in plain.items() if not name.startswith(("alembic", "sqlite_"))}


def test_on_sqlite_migrations_make_what_is_declared(tmp_path):
    Warehouse(f"sqlite:///{tmp_path}/migrated.sqlite").migrate()
    engine = sa.create_engine(f"sqlite:///{tmp_path}/declared.sqlite")
    METADATA.create_all(engine)
    with engine.begin() as connection:
        for table in TABLES.values():
            connection.exec_driver_sql(current_view(table))
        connection.exec_driver_sql(changes_view("sqlite"))
    engine.dispose()

    assert objects(tmp_path / "migrated.sqlite") == objects(tmp_path / "declared.sqlite")


@pytest.mark.pg
def test_on_postgresql_migrations_make_what_is_declared(postgres_url):
    def described(connection):
        columns = (
            "SELECT c.table_name, column_name, data_type, is_nullable, col_description(c.table_name::regclass, ordinal_position) "
            "FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name) "
            "WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND c.table_name <> 'alembic_version'"
        )
        indexes = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        return {tuple(row) for sql in (columns, indexes) for row in connection.execute(sa.text(sql))}

    database = Database(postgres_url)
    warehouse = Warehouse(postgres_url)
    warehouse.migrate()
    with warehouse.reading() as connection:
        migrated = described(connection)
    warehouse.close()
    with database.write() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
        METADATA.create_all(connection)
    with database.read() as connection:
        declared = described(connection)
    database.close()

    assert migrated == declared


def test_the_named_head_is_the_newest_revision(root_of_migrations):
    assert ScriptDirectory.from_config(root_of_migrations).get_heads() == [migrations.HEAD]


@pytest.fixture
def root_of_migrations():
    config = Config()
    config.set_main_option("script_location", os.path.dirname(migrations.__file__))
    config.set_main_option("path_separator", "os")
    return config


def test_a_ledger_of_before_keeps_its_imports(tmp_path, root_of_migrations):
    url = f"sqlite:///{tmp_path}/warehouse.sqlite"
    database = Database(url)
    database.create()
    with database.write() as connection:
        root_of_migrations.attributes["connection"] = connection
        command.upgrade(root_of_migrations, "0001")
        connection.exec_driver_sql(
            "INSERT INTO imports (kind, district_id, source, status, started_at, options, summary) "
            "VALUES ('upload', 'lincoln', 'clever', 'published', '2026-01-01T06:00:00.000000Z', '{}', '{}')"
        )
    database.close()
    with Warehouse(url) as warehouse:
        with pytest.raises(SchemaBehind):
            warehouse.ledger.imports()
        assert warehouse.migrate() == "0001"

        assert [(row["import_id"], row["file_set"]) for row in warehouse.ledger.imports()] == [(1, "")]
        assert [(row["status"], row["imports"]) for row in warehouse.ledger.import_counts()] == [("published", 1)]


def test_rows_refused_before_their_hash_are_found_by_it(warehouse_url, root_of_migrations):
    """Of a quarantine that revision 0003 has filled; a new row has the same hash as an old one."""
    rows = [{"file": "students.csv", "row": 2, "code": "bad_date", "record": '{"a": "ü"}'}]
    database = Database(warehouse_url)
    database.create()
    with database.write() as connection:
        if connection.dialect.name == "postgresql":  # which has this version's schema already
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
        root_of_migrations.attributes["connection"] = connection
        command.upgrade(root_of_migrations, "0003")
        old = connection.exec_driver_sql(
            "INSERT INTO imports (kind, district_id, source, status, started_at, options, summary) "
            "VALUES ('upload', 'lincoln', 'clever', 'rejected', '2026-01-01T06:00:00.000000Z', '{}', '{}') RETURNING import_id"
        ).scalar_one()
        names = "import_id, file, row, code, record"
        write = sa.text(f"INSERT INTO rejected_rows ({names}) VALUES (:import_id, :file, :row, :code, :record)")
        connection.execute(write, [{"import_id": old, **row} for row in rows])
    database.close()
    with Warehouse(warehouse_url) as warehouse:
        assert warehouse.migrate() == "0003"
        assert [row["since"] for row in warehouse.ledger.quarantined_since([old])] == [day(1)]
        new = begin(warehouse, 3)
        in_transaction(warehouse).conclude(
            end(new, "rejected", rejected_rows=pa.Table.from_pylist(rows, schema=REJECTED_ROWS_SCHEMA))
        )

        assert [(row["since"], row["rows"]) for row in warehouse.ledger.quarantined_since([new])] == [(day(1), 1)]


def test_a_new_sqlite_file_gets_its_schema_and_belongs_to_its_owner(tmp_path):
    with Warehouse(f"sqlite:///{tmp_path}/home/warehouse.sqlite") as warehouse:
        assert warehouse.ledger.imports() == []

    assert stat.S_IMODE(os.stat(tmp_path / "home" / "warehouse.sqlite").st_mode) == 0o600
    assert stat.S_IMODE(os.stat(tmp_path / "home").st_mode) == 0o700
    assert os.listdir(tmp_path / "home") == ["warehouse.sqlite"]


def test_naming_a_warehouse_opens_nothing(tmp_path):
    Warehouse(f"sqlite:///{tmp_path}/warehouse.sqlite")

    assert os.listdir(tmp_path) == []


@pytest.mark.pg
def test_an_empty_postgresql_database_asks_for_a_migration(postgres_url):
    with Warehouse(postgres_url) as warehouse:
        with pytest.raises(SchemaBehind, match="roster-etl migrate"):
            warehouse.ledger.imports()
        assert warehouse.migrate() is None
        assert warehouse.migrate() == migrations.HEAD
        assert warehouse.ledger.imports() == []


def test_a_database_of_another_version_asks_for_a_migration(tmp_path):
    url = f"sqlite:///{tmp_path}/warehouse.sqlite"
    Warehouse(url).migrate()
    with sqlite3.connect(tmp_path / "warehouse.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    connection.close()

    with pytest.raises(SchemaBehind, match="0000"):
        Warehouse(url).ledger.imports()


def test_two_processes_may_create_the_same_warehouse(tmp_path):
    url, errors = f"sqlite:///{tmp_path}/warehouse.sqlite", []

    def create():
        try:
            Warehouse(url).ledger.imports()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            errors.append(error)

    threads = [threading.Thread(target=create) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]

    assert errors == []


def test_alembic_is_not_imported_when_the_schema_is_current(tmp_path):
    url = f"sqlite:///{tmp_path}/warehouse.sqlite"
    Warehouse(url).migrate()
    script = f"import sys; from roster_etl.store.warehouse import Warehouse; Warehouse({url!r}).ledger.imports(); print('alembic' in sys.modules)"

    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


@pytest.mark.parametrize("url", ["mysql://h/d", "sqlite://", "sqlite:///:memory:", "not a url"])
def test_other_urls_are_refused(url):
    with pytest.raises(BadWarehouseUrl):
        Warehouse(url)


def test_a_url_is_shown_without_its_password():
    assert Warehouse("postgresql://me:hush@localhost/roster").url == "postgresql://me:***@localhost/roster"
    assert Warehouse("sqlite:////x/w.sqlite").url == "sqlite:////x/w.sqlite"
