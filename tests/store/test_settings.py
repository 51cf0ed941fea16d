"""The settings of a home."""

import stat
from pathlib import Path

import pytest

from roster_etl.spec.errors import BadHome, SettingsError
from roster_etl.store.settings import Settings, UiSettings, landing_folder


def load(home: Path, text: str = "", **environ: str) -> Settings:
    home.mkdir(parents=True, exist_ok=True)
    (home / "roster_etl.toml").write_text(text, "utf-8")
    return Settings.load(home, environ)


def test_a_home_that_is_missing_is_created_for_its_owner_and_works(tmp_path: Path) -> None:
    home = tmp_path / "deep" / "home"
    settings = Settings.load(home, {})

    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert settings.warehouse == f"sqlite:///{home}/warehouse.sqlite"
    assert (settings.archive, settings.staging, settings.districts) == (
        str(home / "archive"),
        str(home / "staging"),
        str(home / "districts"),
    )
    assert settings.landing.known_hosts == str(home / "known_hosts")
    assert settings.limits.archive_members == 10_000


def test_the_file_and_then_the_environment_win(tmp_path: Path) -> None:
    text = '[warehouse]\nurl = "postgresql://db/roster"\n[archive]\nurl = "s3://bucket/archive"\n[limits]\narchive_ratio = 7\n'

    assert load(tmp_path, text).warehouse == "postgresql://db/roster"
    assert load(tmp_path, text).archive == "s3://bucket/archive"
    assert load(tmp_path, text).limits.archive_ratio == 7
    assert load(tmp_path, text, ROSTER_ETL_WAREHOUSE="sqlite:////x.db").warehouse == "sqlite:////x.db"
    assert load(tmp_path, ROSTER_ETL_LANDING="/srv/in").landing.base == "/srv/in"


def test_relative_places_are_below_the_home(tmp_path: Path) -> None:
    settings = load(tmp_path, '[warehouse]\nurl="sqlite:///db/w.sqlite"\n[staging]\nurl="tmp/frames"\n[landing]\nbase="in"')

    assert settings.warehouse == f"sqlite:///{tmp_path}/db/w.sqlite"
    assert settings.staging == str(tmp_path / "tmp" / "frames")
    assert settings.landing.base == str(tmp_path / "in")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[warehose]\nurl="x"', 'unknown key "warehose"; did you mean "warehouse"?'),
        ("[landing]\nstall_second=1", 'unknown key "landing.stall_second"; did you mean "stall_seconds"?'),
        ("[zzz]\n", "known are: alerts, archive, catalog, districts"),
        ("archive='x'", '"archive" must be a table'),
        ("[limits]\narchive_ratio='many'", '"limits.archive_ratio" must be a whole number, found str'),
        ("[limits]\narchive_ratio=true", "found bool"),
        ("[limits]\narchive_ratio=0", "must be more than 0"),
        ("[landing]\ntick_seconds=31", '"landing.tick_seconds" must be at most 30'),
        ("[landing]\ntick_looks=65", '"landing.tick_looks" must be at most 64'),
        ("[landing]\nreread_hours=0.5", '"landing.reread_hours" must be a whole number, found float'),
        ("[landing]\nreread_hours=0", '"landing.reread_hours" must be more than 0'),
        ("[landing]\ntick_looks=1.5", '"landing.tick_looks" must be a whole number, found float'),
        ("[archive]\nurl=3", '"archive.url" must be text'),
        ("[archive", "not a TOML file"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match="roster_etl.toml") as caught:
        load(tmp_path, text)

    assert message in caught.value.message


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, "[limits]\na=1\nb=2\n[nowhere]\n")

    assert all(name in caught.value.message for name in ('"limits.a"', '"limits.b"', '"nowhere"'))


def test_no_password_is_shown(tmp_path: Path) -> None:
    text = '[warehouse]\nurl = "postgresql://ann:s3cr@t@db/roster?password=s3cr@t"\n[landing]\nbase="sftp://u:s3cr@t@h/"'
    settings = load(tmp_path, text)

    assert "s3cr" not in repr(settings) + str(settings) + str(settings.to_redacted_dict())
    assert settings.to_redacted_dict()["warehouse"] == {"url": "postgresql://ann:***@db/roster?password=***"}


def test_a_feed_without_a_path_lies_in_its_district_s_folder(tmp_path: Path) -> None:
    based = load(tmp_path, '[landing]\nbase="sftp://roster@host/homes"')

    assert landing_folder(based, "lincoln", "") == "sftp://roster@host/homes/lincoln"
    assert landing_folder(based, "lincoln", "lincoln/canvas") == "sftp://roster@host/homes/lincoln/canvas"
    assert landing_folder(based, "lincoln", "/srv/x") == "/srv/x"
    assert landing_folder(based, "lincoln", "s3://b/x") == "s3://b/x"
    assert landing_folder(load(tmp_path), "lincoln", "") == ""
    assert landing_folder(load(tmp_path), "lincoln", "in") == str(tmp_path / "in")


@pytest.mark.parametrize("name", ["what?", "a%41b", "a#b"])
def test_a_home_whose_path_a_url_cannot_hold_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadHome, match="its path holds"):
        Settings.load(tmp_path / name / "home", {})

    assert not list(tmp_path.iterdir())


def test_a_home_that_cannot_be_a_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    for home, why in ((tmp_path / "file", "not a folder"), (tmp_path / "file" / "home", "cannot be created")):
        with pytest.raises(BadHome, match=why) as caught:
            Settings.load(home, {})
        assert str(home) in caught.value.message

    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(BadHome, match="may not write"):
        Settings.load(tmp_path / "home", {})


def test_mail_needs_a_sender_and_a_safe_way_for_a_password(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, '[mail]\nhost = "mail.example.org"\nuser = "u"\nsecurity = "none"\n')

    assert '"mail.sender" is missing' in caught.value.message
    assert '"mail.password_env" or "mail.password_file" is missing' in caught.value.message
    assert '"mail.security" must be starttls or tls' in caught.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[mail]\nsecurity = "ssl"', "\"mail.security\": 'ssl' is none of starttls, tls, none"),
        ('[alerts]\non = ["held", "lost"]', "\"alerts.on\": 'lost' is none of held, rejected, failed, late"),
        ('[alerts]\non = "held"', '"alerts.on" must be a list'),
        ('[mail]\nsender = "a\\r\\nBcc: b@example.org"', '"mail.sender" must be an e-mail address'),
        ("[mail]\nport = 0", "must be more than 0"),
        ('[mail]\noperators = ["ops"]', '"mail.operators" and "mail.reply_to" must be e-mail addresses'),
        ('[mail]\nreply_to = "a@example.org, b@example.org"', '"mail.operators" and "mail.reply_to" must be e-mail addresses'),
        ('[mail]\noperators_on = ["lost"]', "\"mail.operators_on\": 'lost' is none of held, rejected, failed, late"),
        ('[ui]\nurl = "javascript:alert(1)"', '"ui.url" must begin with http:// or https://'),
    ],
)
def test_what_mail_and_alerts_cannot_mean_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)

    assert message in caught.value.message


def test_files_with_secrets_are_below_the_home(tmp_path: Path) -> None:
    settings = load(tmp_path, '[mail]\npassword_file = "secret/mail"\n[alerts]\nwebhook_file = "secret/hook"\non = ["late"]\n')

    assert settings.mail.password_file == str(tmp_path / "secret" / "mail")
    assert settings.alerts.webhook_file == str(tmp_path / "secret" / "hook")
    assert (settings.alerts.on, settings.alerts.is_enabled) == (("late",), True)
    assert not load(tmp_path).alerts.is_enabled


def test_the_code_location_of_the_ui_is_the_one_of_the_deployment(tmp_path: Path) -> None:
    (tmp_path / "roster_etl.toml").write_text('[ui]\nurl = "https://dagster.example.org"\n')

    assert Settings.load(tmp_path, {}).ui == UiSettings(url="https://dagster.example.org", code_location="roster_etl")
    assert Settings.load(tmp_path, {"ROSTER_ETL_CODE_LOCATION": "district-data"}).ui.code_location == "district-data"


def test_a_switch_is_true_or_false(home: Path):
    (home / "roster_etl.toml").write_text("[reports]\ndata_docs = true\n")
    assert Settings.load(home, {}).reports.data_docs

    (home / "roster_etl.toml").write_text("[reports]\ndata_docs = 1\n[mail]\nport = true\n")
    with pytest.raises(
        SettingsError,
        match='"reports.data_docs" must be true or false, found int; "mail.port" must be a whole number, found bool',
    ):
        Settings.load(home, {})
