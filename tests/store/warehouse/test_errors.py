"""A database's error becomes one of ours: what to do about it, and never what was in the row."""

import pytest
import sqlalchemy as sa

from roster_etl.spec.errors import PermanentError, RetryableError, RosterError
from roster_etl.store.warehouse import ConstraintBroken, RosterMoved, Warehouse, WarehouseError, WarehouseUnavailable
from roster_etl.store.warehouse.database import Database
from roster_etl.store.warehouse.errors import translate_database_errors


def test_every_error_is_ours_and_says_whether_to_try_again():
    assert issubclass(WarehouseError, RosterError)
    assert issubclass(WarehouseUnavailable, RetryableError)
    assert issubclass(ConstraintBroken, PermanentError)
    assert issubclass(RosterMoved, PermanentError)


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
