"""The outbox: queued once, tried with growing pauses, parked in the end, never sent again once it was taken."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from roster_etl.spec.errors import SettingsError
from roster_etl.store.outbox.outbox import (
    RECEIPT_RETENTION,
    RETRY_DELAYS,
    Message,
    MessageRefused,
    Outbox,
    TransportBusy,
    TransportDown,
)

NOW = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)


def message(about: str = "import-7-held", to: str = "data@lincoln.example.org", **parts: object) -> Message:
    usual = {"kind": "mail", "created": NOW.isoformat(), "due": NOW.isoformat(), "text": "It is held."}
    return Message(about=about, to=to, **{**usual, **parts})  # type: ignore[arg-type]


class Carrier:
    """Takes messages, or says what it was given to say."""

    def __init__(self, problem: Exception | None = None) -> None:
        self.taken: list[Message] = []
        self.asked = 0
        self.problem = problem

    def __call__(self, message: Message) -> None:
        self.asked += 1
        if self.problem:
            raise self.problem
        self.taken.append(message)


def down() -> TransportDown:
    return TransportDown(where="mail server", problem="it cannot be reached")


def test_a_message_that_was_taken_is_never_queued_again(tmp_path: Path) -> None:
    outbox, carrier = Outbox(tmp_path / "outbox"), Carrier()

    assert [outbox.put(message()), outbox.put(message())] == [True, False]
    assert outbox.send({"mail": carrier}, NOW).sent == 1
    assert outbox.put(message()) is False
    assert outbox.send({"mail": carrier}, NOW).sent == 0
    assert [m.about for m in carrier.taken] == ["import-7-held"]


def test_each_recipient_and_each_outcome_is_a_message_of_its_own(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)

    assert outbox.put(message())
    assert outbox.put(message(to="other@lincoln.example.org"))
    assert outbox.put(message(about="import-7-published"))
    assert len({m.id for m in outbox.messages()}) == 3


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    outbox.put(message())

    (file,) = (tmp_path / "outbox").glob("*.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_what_was_queued_is_read_back_as_it_was(tmp_path: Path) -> None:
    given = message(subject="lincoln: held", html="<p>ü</p>", attachments=(("7.html", "text/html", "<p>"),))
    Outbox(tmp_path).put(given)

    assert Outbox(tmp_path).messages() == [given]


def test_a_failed_try_waits_longer_each_time_and_is_parked_in_the_end(tmp_path: Path) -> None:
    outbox, carrier = Outbox(tmp_path, tries=4), Carrier(down())
    outbox.put(message())
    now, waited = NOW, []
    for _ in range(4):
        result = outbox.send({"mail": carrier}, now)
        due = datetime.fromisoformat(outbox.messages()[0].due)
        waited.append(due - now)
        assert outbox.send({"mail": carrier}, due - timedelta(seconds=1)).failed == 0
        now = due

    assert waited == list(RETRY_DELAYS[:4])
    assert (carrier.asked, result.parked, outbox.counts()) == (4, 1, {("mail", "parked"): 1})
    assert result.problems == ("mail server: it cannot be reached",)
    assert outbox.send({"mail": carrier}, now + timedelta(days=30)).failed == 0


def test_a_clock_that_ran_ahead_does_not_make_a_message_wait_for_it(tmp_path: Path) -> None:
    outbox, carrier = Outbox(tmp_path), Carrier()
    outbox.put(message(due=(NOW + timedelta(days=30)).isoformat()))

    assert outbox.send({"mail": carrier}, NOW).sent == 1


def test_a_person_can_send_what_is_parked(tmp_path: Path) -> None:
    outbox, carrier = Outbox(tmp_path, tries=1), Carrier(down())
    outbox.put(message())
    outbox.send({"mail": carrier}, NOW)
    carrier.problem = None

    assert outbox.send({"mail": carrier}, NOW).sent == 0
    assert outbox.send({"mail": carrier}, NOW, include_all=True).sent == 1
    assert outbox.messages() == []


def test_a_server_that_is_down_is_asked_once_a_round(tmp_path: Path) -> None:
    outbox, carrier, hook = Outbox(tmp_path), Carrier(down()), Carrier()
    for number in range(5):
        outbox.put(message(about=f"import-{number}-held"))
    outbox.put(message(kind="webhook", to=""))

    result = outbox.send({"mail": carrier, "webhook": hook}, NOW)

    assert (carrier.asked, hook.asked, result.sent, result.failed) == (1, 1, 1, 5)


def test_one_that_is_busy_does_not_stop_the_others(tmp_path: Path) -> None:
    outbox, carrier = Outbox(tmp_path), Carrier(TransportBusy(where="mail server", problem="later"))
    outbox.put(message())
    outbox.put(message(about="import-8-held"))

    assert (outbox.send({"mail": carrier}, NOW).failed, carrier.asked) == (2, 2)


def test_what_is_refused_for_good_is_parked_at_once(tmp_path: Path) -> None:
    outbox, carrier = Outbox(tmp_path), Carrier(MessageRefused(where="mail server", problem="no such recipient"))
    outbox.put(message())

    assert outbox.send({"mail": carrier}, NOW).parked == 1


def test_settings_that_are_wrong_leave_the_message_waiting(tmp_path: Path) -> None:
    outbox, carrier = Outbox(tmp_path), Carrier(SettingsError(where="[mail]", problem="the variable X is not set"))
    outbox.put(message())
    result = outbox.send({"mail": carrier}, NOW)

    assert (result.failed, result.parked, outbox.messages()[0].problem) == (1, 0, "[mail]: the variable X is not set")


def test_while_one_process_sends_another_has_nothing_to_do(tmp_path: Path) -> None:
    outbox, seen = Outbox(tmp_path), []
    outbox.put(message())

    def slow(_: Message) -> None:
        seen.append(Outbox(tmp_path).send({"mail": Carrier()}, NOW))

    assert outbox.send({"mail": slow}, NOW).sent == 1
    assert seen[0].sent == 0


def test_a_discarded_message_is_gone_for_good(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    outbox.put(message())

    assert outbox.discard(message().id)
    assert not outbox.discard(message().id)
    assert not outbox.put(message())
    assert outbox.messages() == []


def test_a_damaged_file_hinders_no_other_and_is_told(tmp_path: Path) -> None:
    outbox, carrier = Outbox(tmp_path), Carrier()
    (tmp_path / "mail-x.json").write_text("{")
    outbox.put(message())

    assert outbox.send({"mail": carrier}, NOW).sent == 1
    assert outbox.damaged_files() == ["mail-x.json"]


def test_the_note_that_a_message_was_sent_goes_when_nobody_would_queue_it_again(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    outbox.put(message())
    outbox.send({"mail": Carrier()}, NOW)
    later = datetime.now(UTC) + RECEIPT_RETENTION + timedelta(days=1)
    outbox.send({}, later)

    assert outbox.put(replace(message(), text="again"))


def test_old_notes_are_looked_for_once_a_day(tmp_path: Path) -> None:
    outbox, note = Outbox(tmp_path), tmp_path / "sent" / "mail-x"
    later = datetime.now(UTC) + RECEIPT_RETENTION + timedelta(days=1)
    there = []
    for hours in (0, 23, 25):
        note.parent.mkdir(exist_ok=True)
        note.touch()
        outbox.send({}, later + timedelta(hours=hours))
        there.append(note.exists())

    assert there == [False, True, False]
