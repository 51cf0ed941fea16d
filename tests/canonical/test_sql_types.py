"""Moments and documents read back as they were given, on every database."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from roster_etl.canonical.sql_types import JsonText, Timestamp

NOON = datetime(2026, 1, 2, 13, 0, 0, 5, tzinfo=timezone(timedelta(hours=1)))


def test_a_moment_is_text_on_sqlite_that_sorts_by_time():
    stored = Timestamp().process_bind_param(NOON, sqlite.dialect())

    assert stored == "2026-01-02T12:00:00.000005Z"
    assert stored < Timestamp().process_bind_param(NOON + timedelta(microseconds=1), sqlite.dialect())
    assert Timestamp().process_result_value(stored, sqlite.dialect()) == NOON


def test_a_moment_is_in_utc_whatever_zone_the_server_answers_in():
    found = Timestamp().process_result_value(NOON, postgresql.dialect())

    assert found.tzinfo is UTC
    assert found == NOON
    assert Timestamp().process_bind_param(None, postgresql.dialect()) is None
    assert Timestamp().process_result_value(None, postgresql.dialect()) is None


def test_a_moment_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        Timestamp().process_bind_param(datetime(2026, 1, 1), sqlite.dialect())  # noqa: DTZ001


def test_a_document_is_text_and_none_is_null():
    kept = JsonText()

    assert kept.process_bind_param({"é": 1}, sqlite.dialect()) == '{"é":1}'
    assert kept.process_result_value('{"é":1}', sqlite.dialect()) == {"é": 1}
    assert kept.process_bind_param(None, sqlite.dialect()) is None
    assert isinstance(kept.impl, sa.Text)
