"""Errors that a person can act on."""

import pickle
import re
from string import Formatter

import pytest

from roster_etl.spec import errors
from roster_etl.spec.errors import PermanentError, RetryableError, RosterError, UploadMoved

CLASSES = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, RosterError)]

COMPUTED = {"hint"}  # made by the class, of names that exist


def test_a_message_is_built_from_the_class_s_template() -> None:
    error = UploadMoved(where="sftp://h/x", name="students.csv")

    assert (
        str(error)
        == error.message
        == "sftp://h/x: students.csv changed while it was read; it will be read again when it has settled"
    )
    assert error.data == {"where": "sftp://h/x", "name": "students.csv"}
    assert RosterError("plain words").message == "plain words"


def test_an_error_survives_the_trip_between_processes() -> None:
    error = UploadMoved(where="w", name="n")
    again = pickle.loads(pickle.dumps(error))

    assert (type(again), again.message, again.data) == (UploadMoved, error.message, error.data)


@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_has_a_code_and_is_permanent_or_retryable(kind: type[RosterError]) -> None:
    assert re.fullmatch(r"[a-z_]+", kind.code)
    assert kind is RosterError or issubclass(kind, PermanentError) != issubclass(kind, RetryableError)
    assert kind.__doc__


def test_codes_are_given_once() -> None:
    codes = [kind.code for kind in CLASSES]

    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("kind", CLASSES)
def test_every_template_can_be_filled(kind: type[RosterError]) -> None:
    fields = {name: "x" for _, name, _, _ in Formatter().parse(kind.template) if name and name not in COMPUTED}

    assert "x" in kind(**fields).message
