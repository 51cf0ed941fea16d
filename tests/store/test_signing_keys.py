"""Keys: made once, private, and refused where they are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from roster_etl.spec.errors import SettingsError
from roster_etl.store.settings import Settings
from roster_etl.store.signing_keys import KeyExists, KeyFolder, NoEnvelope, NoKey, is_signed_by, open_envelope, read_public_key


@pytest.fixture
def folder(home: Path) -> KeyFolder:
    return KeyFolder(Settings.load(home))


def settings(home: Path, text: str) -> KeyFolder:
    (home / "roster_etl.toml").write_text(f"[receipts]\n{text}\n", "utf-8")
    return KeyFolder(Settings.load(home))


def test_a_key_signs_and_its_public_half_verifies(folder: KeyFolder) -> None:
    made = folder.create()
    envelope = folder.load().current.sign(b'{"a":1}')
    public = read_public_key(folder.public_file.read_bytes(), "receipts.pub")

    assert (public.keyid, envelope["signatures"][0]["keyid"]) == (made.keyid, made.keyid)
    assert is_signed_by(envelope, [public])
    assert not is_signed_by({**envelope, "payload": "e30="}, [public])
    assert not is_signed_by(envelope, [])


def test_a_key_is_private_and_made_once(folder: KeyFolder) -> None:
    folder.create()
    private = folder.public_file.with_name("receipts.pem")

    assert private.stat().st_mode & 0o777 == 0o600
    assert private.parent.stat().st_mode & 0o777 == 0o700
    with pytest.raises(KeyExists):
        folder.create()
    private.chmod(0o640)
    with pytest.raises(SettingsError, match="others can read"):
        folder.load()


def test_without_a_key_nothing_is_enabled(folder: KeyFolder) -> None:
    assert not folder.is_enabled
    with pytest.raises(NoKey):
        folder.load()


def test_the_settings_may_name_a_key_elsewhere(folder: KeyFolder, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = folder.create()
    pem = folder.public_file.with_name("receipts.pem").read_text("utf-8")
    elsewhere = settings(home, 'key_env = "RECEIPTS_KEY"\ninstallation = "county"')

    with pytest.raises(SettingsError, match="RECEIPTS_KEY"):
        elsewhere.load()
    monkeypatch.setenv("RECEIPTS_KEY", pem)
    assert (elsewhere.load().current.keyid, elsewhere.load().installation) == (made.keyid, "county")
    with pytest.raises(NoKey, match="outside this home"):
        elsewhere.begin_rotation()


@pytest.mark.parametrize("text", ["no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"])
def test_what_is_no_key_is_refused_without_its_text(home: Path, text: str) -> None:
    file = home / "other.pem"
    file.write_text(text, "utf-8")
    file.chmod(0o600)

    with pytest.raises(SettingsError, match="no private key") as raised:
        settings(home, 'key_file = "other.pem"').load()
    assert "AAAA" not in str(raised.value)


def test_what_is_no_envelope_is_refused() -> None:
    for content in (b"", b"null", b'{"payload": "", "payloadType": "text/plain", "signatures": []}'):
        with pytest.raises(NoEnvelope):
            open_envelope(content)
