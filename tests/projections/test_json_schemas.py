"""The JSON schemas of the settings files: they accept what the program accepts, and refuse what it refuses."""

from __future__ import annotations

import datetime
import json
import tomllib
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from roster_etl.projections.json_schemas import district_schema, settings_schema
from roster_etl.spec.errors import RegistryError
from roster_etl.store.registry.toml_file import parse_district
from roster_etl.store.settings import Settings, SettingsError
from tests.conftest import ROOT


def valid(schema: dict[str, Any], text: str) -> bool:
    """Return whether a TOML text fits a schema; its dates are texts, as editors take them."""
    values = json.loads(json.dumps(tomllib.loads(text), default=datetime.date.isoformat))
    return Draft202012Validator(schema).is_valid(values)


def accepted(text: str, home) -> bool:
    (home / "roster_etl.toml").write_text(text)
    try:
        Settings.load(home)
    except SettingsError:
        return False
    return True


@pytest.mark.parametrize("schema", [settings_schema(), district_schema()], ids=["settings", "district"])
def test_each_is_a_schema(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)


def test_the_settings_of_the_repository_fit() -> None:
    assert valid(settings_schema(), (ROOT / "dagster_home" / "roster_etl.toml").read_text())


@pytest.mark.parametrize(
    "text",
    [
        "",
        '[warehouse]\nurl = "postgresql://h/x"',
        '[alerts]\non = ["held"]',
        '[mail]\nhost = "h"\nsender = "a@example.org"\nsecurity = "tls"',
        '[retention]\nruns = "10d"',
        "[reports]\ndata_docs = true",
        '[warehose]\nurl = "x"',
        "[warehouse]\nurl = 1",
        '[alerts]\non = ["hold"]',
        '[mail]\nsecurity = "maybe"',
        '[reports]\ndata_docs = "yes"',
        "[landing]\nstall_seconds = 0",
        "[landing]\nstall_seconds = 12.5",
        "[limits]\nupload_files = -1",
    ],
)
def test_the_schema_of_the_settings_accepts_what_the_program_accepts(text: str, home) -> None:
    assert valid(settings_schema(), text) is accepted(text, home)


FEED = '[[feed]]\nformat = "clever"\n'


@pytest.mark.parametrize(
    "text",
    [
        'name = "Lincoln"\ntime_zone = "America/Chicago"\npaused = false\ncontacts = ["a@example.org"]\nmail = "problems"',
        FEED + 'path = "sftp://u@h/in"\nexpected_by = "07:00"\nexpected_days = ["mon"]\nexpected_hours = 12',
        FEED + '[feed.options]\ndelete_threshold_pct = "20"',
        FEED + '[[feed.gate]]\nexpectation = "x"\nmostly = 0.5\nreason = "r"\ndate = 2026-08-01',
        FEED + '[feed.replacements.Grade]\n"5th" = "05"',
        '[[calendar]]\nfrom = 2026-08-01\nto = 2026-08-02\nreason = "r"\npause = true',
        '[[destination]]\nname = "lms"\nformat = "oneroster"\nto = "out"\nwhen = "30 2 * * 1-5"',
        '[reconcile.match]\nusers = ["email"]',
        'nam = "x"',
        'paused = "no"',
        'mail = "never ever"',
        "[[feed]]\npath = 'x'",
        FEED + 'pathh = "x"',
        FEED + 'expected_by = "7:00"',
        FEED + "expected_by = '07:00'\nexpected_hours = 0",
        FEED + "[feed.options]\ndelete_threshold_pct = 20",
        FEED + '[[feed.gate]]\nexpectation = "x"\nmostly = 2\nreason = "r"\ndate = 2026-08-01',
        '[[calendar]]\nfrom = 2026-08-01\nreason = "r"\npause = true',
        '[[destination]]\nname = "L M S"\nformat = "oneroster"\nto = "out"',
        '[[destination]]\nname = "lms"\nformat = "oneroster"\nto = "out"\nwhen = "daily"',
        "[reconcile.match]\nusers = []",
        'contacts = "a@example.org"',
    ],
)
def test_the_schema_of_a_district_accepts_what_the_program_accepts(text: str) -> None:
    try:
        parse_district("lincoln", text)
        fine = True
    except RegistryError:
        fine = False

    assert valid(district_schema(), text) is fine


def test_the_options_of_each_format_are_in_the_schema() -> None:
    assert not valid(district_schema(), FEED + '[feed.options]\ndelete_treshold_pct = "20"')
    assert valid(district_schema(), '[[feed]]\nformat = "canvas"\n[feed.options]\nbatch_mode = "true"')
    assert not valid(district_schema(), FEED + '[feed.options]\nbatch_mode = "true"')
