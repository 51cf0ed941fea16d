"""The short cut writes what the standard library writes."""

from __future__ import annotations

import json
from datetime import date
from enum import IntEnum
from typing import Any

import pytest

from roster_etl.pipeline.reporting.json_text import indented_json


class Colour(IntEnum):
    """A number that is more than one."""

    RED = 1


DOCUMENTS: list[Any] = [
    None,
    "é",
    [],
    {},
    (),
    [1, 2.5, None, True, "a, b: c"],
    {"a": 1, "b": 'quo"te,\n', "c": None},
    {"a": [], "b": {}, "c": [[]], "d": [{}]},
    {
        "findings": [{"id": 1, "message": "ü {x: [1, 2]}"}, {"id": 2, "message": None}],
        "plan": {"users": {"columns": {"grade": 3}}},
    },
    [[1, [2, [3, "x"]]], {"deep": {"deeper": {"deepest": [1]}}}],
    {1: "one", None: [1], False: {"a": [2]}, 2.5: "x"},
    {"colour": Colour.RED, "all": [Colour.RED, [1]]},
    ({"a": (1, 2)}, (3,)),
]


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("document", DOCUMENTS, ids=repr)
def test_the_text_is_that_of_the_standard_library(document: Any, ascii_only: bool) -> None:
    assert indented_json(document, ensure_ascii=ascii_only) == json.dumps(document, ensure_ascii=ascii_only, indent=1)


def test_what_json_does_not_know_is_said_as_the_caller_says_it() -> None:
    document = {"flat": {"day": date(2026, 9, 1)}, "list": [date(2026, 9, 2), [1]]}

    assert indented_json(document, default=str) == json.dumps(document, indent=1, default=str)


def test_what_nobody_can_say_is_an_error() -> None:
    with pytest.raises(TypeError):
        indented_json({"a": [object()]})
