"""Alerts, to a real webhook."""

from __future__ import annotations

import pytest

from roster_etl.spec.errors import SettingsError
from roster_etl.store.outbox.outbox import MessageRefused, TransportBusy, TransportDown
from roster_etl.store.outbox.webhook import Webhook, webhook_url
from roster_etl.store.settings import AlertSettings
from tests.post_office import Hook, webhook
from tests.store.outbox.test_outbox import message

ALERT = message(kind="webhook", to="", text="lincoln/clever: import 7 is held ü")


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch):
    with webhook() as hook:
        monkeypatch.setenv("HOOK", hook.url)
        yield hook


def send() -> None:
    Webhook(AlertSettings(webhook_env="HOOK", timeout_seconds=5))(ALERT)


def test_the_text_arrives(hook: Hook) -> None:
    send()

    assert hook.texts == ["lincoln/clever: import 7 is held ü"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (429, TransportBusy),
        (503, TransportDown),
        (404, TransportDown),
        (400, MessageRefused),
        (302, TransportDown),
        (307, TransportDown),
    ],
)
def test_an_answer_is_told_without_the_url(hook: Hook, answer: int, kind: type[Exception]) -> None:
    hook.answer = answer
    with pytest.raises(kind) as caught:
        send()

    assert f"webhook at 127.0.0.1: it answered {answer}" in str(caught.value)
    assert "hush" not in str(caught.value)
    assert hook.texts == []


def test_one_that_is_not_there_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", "http://127.0.0.1:9/hush-hush-token")
    with pytest.raises(TransportDown) as caught:
        send()

    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "hush-hush", "ftp://x/hush", "https:///hush", "https://a b/hush", "https://[/hush"]
)
def test_what_is_no_url_is_refused_without_saying_it(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("HOOK", url)
    with pytest.raises(SettingsError) as caught:
        webhook_url(AlertSettings(webhook_env="HOOK"))

    assert url not in str(caught.value)


def test_a_file_with_the_url_is_its_owners_alone(tmp_path) -> None:
    file = tmp_path / "hook"
    file.write_text("https://hooks.example.org/hush\n")
    file.chmod(0o644)
    with pytest.raises(SettingsError, match="others can read"):
        webhook_url(AlertSettings(webhook_file=str(file)))
    file.chmod(0o600)

    assert webhook_url(AlertSettings(webhook_file=str(file))) == "https://hooks.example.org/hush"


@pytest.mark.parametrize(
    ("given", "problem"),
    [({"webhook_env": "NOT_THERE"}, "variable NOT_THERE"), ({}, "neither"), ({"webhook_file": "/nowhere/x"}, "cannot be read")],
)
def test_a_secret_that_is_not_there_is_told(given: dict[str, str], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        webhook_url(AlertSettings(**given))  # type: ignore[arg-type]
