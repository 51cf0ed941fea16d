"""A database's error becomes one of ours: what to do about it, and never what was in the row."""

import pytest
import sqlalchemy as sa

from roster_etl.spec.errors import PermanentError, RetryableError, RosterError
from roster_etl.store.warehouse import ConstraintBroken, RosterChanged, Warehouse, WarehouseError, WarehouseUnavailable
from roster_etl.store.warehouse.database import Database
from roster_etl.store.warehouse.errors import translate_database_errors


def test_every_error_is_ours_and_says_whether_to_try_again():
    assert issubclass(WarehouseError, RosterError)
    assert issubclass(WarehouseUnavailable, RetryableError)
    assert issubclass(ConstraintBroken, PermanentError)
    assert issubclass(RosterChanged, PermanentError)


def test_a_server_that_is_not_there_may_answer_later(tmp_path):
    with pytest.raises(WarehouseUnavailable):
        Warehouse(f"postgresql://me:hush@/roster?host={tmp_path}").ledger.imports()


def test_a_statement_that_is_wrong_is_an_error_without_its_text(warehouse_url):
    with Warehouse(warehouse_url) as warehouse, pytest.raises(WarehouseError) as caught, warehouse.reading() as connection:
        connection.execute(sa.text("SELECT secret FROM nowhere WHERE name = 'Secretname'"))

    assert caught.value.code == "warehouse_failed"
    assert "ecret" not in str(caught.value)


@pytest.mark.pg
def test_a_row_that_postgresql_quotes_is_not_quoted_by_us(postgres_url):
    database = Database(postgres_url)
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE t (a text NOT NULL, b text UNIQUE)")
    for statement, constraint in (
        ("INSERT INTO t VALUES (NULL, 'Secretname')", "t_a_not_null|unnamed"),
        ("INSERT INTO t VALUES ('x', 'Secretname'), ('y', 'Secretname')", "t_b_key"),
    ):
        with pytest.raises(ConstraintBroken, match=constraint) as caught, database.write() as connection:
            connection.exec_driver_sql(statement)
        assert "Secretname" not in f"{caught.value} {caught.value.__context__}"
    database.close()


@pytest.mark.pg
def test_a_lock_that_is_not_had_in_time_may_be_had_later(postgres_url):
    mine, other = Database(postgres_url), Database(postgres_url)
    lock = sa.select(sa.func.pg_advisory_xact_lock(7))
    with mine.write() as connection, other.write() as waiting:
        connection.execute(lock)
        waiting.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
        with pytest.raises(WarehouseUnavailable, match="55P03"), translate_database_errors():
            waiting.execute(lock)
        waiting.rollback()
    mine.close()
    other.close()


def test_errors_of_others_pass():
    with pytest.raises(ZeroDivisionError), translate_database_errors():
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('connection failed: connection to server at "10.0.0.1", port 5432 failed: Connection refused', "connection refused"),
        ("failed to resolve host 'secret': Name or service not known", "host not found"),
        ("connection timeout expired", "no answer in time"),
        ('FATAL:  password authentication failed for user "secret"', "the password is refused or missing"),
        ('FATAL:  role "secret" does not exist', "the server has no such role"),
        ('FATAL:  database "secret" does not exist', "the server has no such database"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1"', "the server's pg_hba.conf does not let this role in from here"),
        ("server does not support SSL, but SSL was required", "no TLS connection as the URL requires it"),
        ("something secret that nobody foresaw", "the database does not respond"),
    ],
)
def test_a_connection_that_cannot_be_opened_names_the_reason_the_host_and_the_port(text, problem):
    class OperationalError(Exception):
        sqlstate = None

    driver = OperationalError(text)
    with pytest.raises(WarehouseUnavailable) as caught, translate_database_errors("db.example.org:5432"):
        raise sa.exc.OperationalError("secret", None, driver)

    assert caught.value.message == f"warehouse: {problem}: db.example.org:5432; nothing was written"
    assert "secret" not in str(driver)


def test_a_server_without_room_for_a_new_connection_has_a_full_disk():
    class OperationalError(Exception):
        sqlstate = None

    driver = OperationalError('FATAL:  could not write to file "base/secret/pg_internal.init": No space left on device')
    with (
        pytest.raises(WarehouseUnavailable, match=r"its disk is full, so free some space \(SQLSTATE 53100\)"),
        translate_database_errors(),
    ):
        raise sa.exc.OperationalError("secret", None, driver)


def test_the_place_of_a_database_is_its_file_or_its_host_and_port_without_the_password(tmp_path, monkeypatch):
    monkeypatch.setenv("PGHOST", "of.environment")
    places = [
        Database(url).place
        for url in (
            f"sqlite:///{tmp_path / 'w.sqlite'}",
            "postgresql://me:hush@db.example.org/x",
            "postgresql://me:hush@db.example.org:6432/x",
            "postgresql:///x?host=/run/pg&port=7",
            "postgresql:///x",
        )
    ]

    assert places == [
        str(tmp_path / "w.sqlite"),
        "db.example.org:5432",
        "db.example.org:6432",
        "/run/pg:7",
        "of.environment:5432",
    ]
