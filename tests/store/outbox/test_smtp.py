"""Mail, to a real server."""

from __future__ import annotations

import email
import email.policy
import os
from dataclasses import replace
from email.headerregistry import Address
from pathlib import Path

import pytest

from roster_etl.store.outbox.outbox import MessageRefused, TransportBusy, TransportDown
from roster_etl.store.outbox.smtp import Mailer, build_email
from roster_etl.store.settings import MailSettings
from tests.post_office import PASSWORD, USER, PostOffice, certificate, post_office
from tests.store.outbox.test_outbox import message

GIVEN = message(
    subject="lincoln: import 7 held", html="<p>It is held. Ünïcode</p>", attachments=(("import-7.html", "text/html", "<p>ü</p>"),)
)


@pytest.fixture
def office():
    with post_office() as office:
        yield office


def settings(office: PostOffice, **given: object) -> MailSettings:
    usual = {"host": "127.0.0.1", "port": office.port, "security": "none", "sender": "roster@example.org", "timeout_seconds": 5.0}
    return MailSettings(**{**usual, **given})  # type: ignore[arg-type]


def test_text_page_and_attachment_arrive(office: PostOffice) -> None:
    with Mailer(settings(office)) as send:
        send(GIVEN)

    (mail,) = office.mail
    assert (mail["To"], mail["From"], mail["Subject"]) == (
        "data@lincoln.example.org",
        "roster@example.org",
        "lincoln: import 7 held",
    )
    assert mail.get_body(("plain",)).get_content().strip() == "It is held."
    assert "Ünïcode" in mail.get_body(("html",)).get_content()
    (attached,) = mail.iter_attachments()
    assert (attached.get_filename(), attached.get_content_type()) == ("import-7.html", "text/html")
    assert attached.get_content().strip() == "<p>ü</p>"


def test_a_message_is_the_same_each_time(office: PostOffice) -> None:
    with Mailer(settings(office)) as send:
        send(GIVEN)
        send(replace(GIVEN, tries=3))

    assert office.mail[0]["Message-ID"] == office.mail[1]["Message-ID"] == f"<{GIVEN.id}@example.org>"
    assert office.mail[0]["Date"] == office.mail[1]["Date"]


def test_a_log_in_travels_under_tls_alone(tmp_path: Path) -> None:
    context, trusted = certificate(tmp_path)
    secret = tmp_path / "password"
    with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(PASSWORD + "\n")
    with post_office(context) as office:
        sure = settings(office, security="starttls", user=USER, password_file=str(secret), ca_file=str(trusted))
        with Mailer(sure) as send:
            send(GIVEN)
        with Mailer(replace(sure, ca_file="")) as send, pytest.raises(TransportDown, match="certificate cannot be trusted"):
            send(GIVEN)

    assert (len(office.mail), office.logins) == (1, [USER])


def test_a_wrong_password_is_told_without_the_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, trusted = certificate(tmp_path)
    monkeypatch.setenv("MAIL_PASSWORD", "zz-wrong-password")
    with post_office(context) as office:
        wrong = settings(office, security="starttls", user=USER, password_env="MAIL_PASSWORD", ca_file=str(trusted))
        with pytest.raises(TransportDown) as caught, Mailer(wrong) as send:
            send(GIVEN)

    assert f"the log-in of {USER} is refused (code 535)" in caught.value.message
    assert "zz-wrong" not in str(caught.value)


def test_a_server_without_starttls_gets_nothing(office: PostOffice) -> None:
    with pytest.raises(TransportDown, match="does not offer starttls"), Mailer(settings(office, security="starttls")) as send:
        send(GIVEN)

    assert office.mail == []


@pytest.mark.parametrize(("answer", "kind"), [("550 no such user", MessageRefused), ("450 later", TransportBusy)])
def test_a_refused_recipient_hinders_no_other(office: PostOffice, answer: str, kind: type[Exception]) -> None:
    office.answers["data@lincoln.example.org"] = answer
    with Mailer(settings(office)) as send:
        with pytest.raises(kind) as caught:
            send(GIVEN)
        send(replace(GIVEN, to="other@lincoln.example.org"))

    assert [mail["To"] for mail in office.mail] == ["other@lincoln.example.org"]
    assert "lincoln.example" not in str(caught.value)


@pytest.mark.parametrize(("answer", "kind"), [("554 too large", MessageRefused), ("452 disk full", TransportBusy)])
def test_a_refused_message_is_told_by_its_code(office: PostOffice, answer: str, kind: type[Exception]) -> None:
    office.answers[""] = answer
    with pytest.raises(kind, match=answer[:3]), Mailer(settings(office)) as send:
        send(GIVEN)


def test_a_server_that_is_not_there_is_down(office: PostOffice) -> None:
    with (
        pytest.raises(TransportDown, match="mail server 127.0.0.1 port 9: it cannot be reached"),
        Mailer(settings(office, port=9)) as send,
    ):
        send(GIVEN)


def test_a_subject_takes_one_line() -> None:
    mail = build_email(replace(GIVEN, subject="a\r\nBcc: evil@example.org"), "roster@example.org")

    assert mail["Subject"] == "a Bcc: evil@example.org"
    assert mail["Bcc"] is None
    assert mail["To"].addresses == (Address(addr_spec="data@lincoln.example.org"),)


@pytest.mark.parametrize(
    ("subject", "read"),
    [
        ("=?utf-8?q?=0d=0aBcc:evil@example.org?= held", "= ?utf-8?q?=0d=0aBcc:evil@example.org?= held"),
        ("a\x00b\x1b[31m\x7f held", "a b [31m held"),
        ("é" * 10_000, "é" * 299 + "…"),
    ],
)
def test_a_subject_is_one_line_whatever_the_name_in_it(subject: str, read: str) -> None:
    sent = build_email(replace(GIVEN, subject=subject), "roster@example.org").as_bytes()
    mail = email.message_from_bytes(sent, policy=email.policy.SMTP)

    assert mail["Subject"] == read
    assert "Bcc" not in mail


def test_a_check_logs_in_and_sends_nothing(office: PostOffice) -> None:
    with Mailer(settings(office)) as mailer:
        assert mailer.check() == f"mail server 127.0.0.1 port {office.port}"

    assert office.mail == []
