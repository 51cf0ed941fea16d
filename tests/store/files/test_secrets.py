"""A secret comes from a file that nobody else can read, or from the environment; no message contains it."""

from __future__ import annotations

from pathlib import Path

import pytest

from roster_etl.spec.errors import SettingsError
from roster_etl.store.files.secrets import read_secret

SECRET = "open sesame"


def refused(**given: object) -> str:
    with pytest.raises(SettingsError) as raised:
        read_secret("[mail]", **{"file": "", "variable": "", **given})  # type: ignore[arg-type]
    assert SECRET not in str(raised.value)
    return str(raised.value)


def test_a_secret_is_the_content_of_a_private_file_or_a_variable_and_the_file_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text(f"{SECRET}\n", "utf-8")
    path.chmod(0o600)

    assert read_secret("[mail]", file=str(path), variable="OTHER", environ={}) == SECRET
    assert read_secret("[mail]", file="", variable="OTHER", environ={"OTHER": "another"}) == "another"


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o610, 0o604, 0o602, 0o601])
def test_a_file_that_others_may_use_in_any_way_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "password"
    path.write_text(SECRET, "utf-8")
    path.chmod(mode)

    assert "chmod go=" in refused(file=str(path))


def test_what_is_missing_or_empty_is_told(tmp_path: Path) -> None:
    empty, odd = tmp_path / "empty", tmp_path / "odd"
    empty.write_text(" \n", "utf-8")
    odd.write_bytes(b"\xff")
    for path in (empty, odd):
        path.chmod(0o600)

    assert "is empty" in refused(file=str(empty))
    assert "cannot be read" in refused(file=str(odd))
    assert "cannot be read" in refused(file=str(tmp_path / "gone"))
    assert "PASSWORD is not set" in refused(variable="PASSWORD", environ={})
    assert "PASSWORD is not set" in refused(variable="PASSWORD", environ={"PASSWORD": ""})
    assert "neither a file nor a variable" in refused()
