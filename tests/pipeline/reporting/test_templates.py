"""The byte code of templates: compiled once, and again when anything has changed that it depends on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from jinja2 import Environment

from roster_etl.pipeline.reporting import templates

Render = Callable[[str], str]


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A folder with one template in place of ours; returns the names of the templates that were compiled."""
    names: list[str] = []
    own = Environment.compile
    monkeypatch.setattr(templates, "_FOLDER", tmp_path)
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    monkeypatch.setattr("sys.pycache_prefix", None)
    monkeypatch.setattr(
        Environment, "compile", lambda self, source, name, *args: (names.append(name), own(self, source, name, *args))[1]
    )
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "page.html.j2").write_text("{{ 'a'|sign }} {{ who }}")
    (tmp_path / "builder.py").write_text("first")
    return names


def render(folder: Path, who: str = "Zoë", sign: str = "!") -> str:
    environment = Environment(autoescape=True)
    environment.filters["sign"] = lambda text: text + sign
    return templates.load(environment, "page.html.j2", built_in=str(folder / "builder.py")).render(who=who)


def test_a_template_is_compiled_once(tmp_path: Path, compiled: list[str]):
    assert [render(tmp_path), render(tmp_path), render(tmp_path, "<b>")] == ["a! Zoë", "a! Zoë", "a! &lt;b&gt;"]
    assert compiled == ["page.html.j2"]
    assert [path.suffix for path in (tmp_path / "__pycache__").iterdir()] == [".pyc"]


@pytest.mark.parametrize("changed", ["page.html.j2", "builder.py"])
def test_it_is_compiled_again_when_it_or_what_builds_its_environment_has_changed(
    tmp_path: Path, compiled: list[str], changed: str
):
    render(tmp_path)
    with (tmp_path / changed).open("a") as file:
        file.write(".")

    assert render(tmp_path, sign="?").startswith("a? Zoë")
    assert len(compiled) == 2


def test_byte_code_that_is_damaged_is_not_used(tmp_path: Path, compiled: list[str]):
    render(tmp_path)
    (written,) = (tmp_path / "__pycache__").iterdir()
    whole = written.read_bytes()
    for content in (b"", whole[:10], whole[:30], whole[:-5], b"x" + whole[1:]):
        written.write_bytes(content)
        assert render(tmp_path) == "a! Zoë"
    assert len(compiled) == 6
    assert written.read_bytes() == whole


def test_nothing_is_written_where_python_writes_no_byte_code_or_the_folder_is_not_there(
    tmp_path: Path, compiled: list[str], monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "__pycache__").rmdir()
    assert [render(tmp_path), render(tmp_path)] == ["a! Zoë", "a! Zoë"]
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    (tmp_path / "__pycache__").mkdir()
    render(tmp_path)

    assert len(compiled) == 3
    assert not list((tmp_path / "__pycache__").iterdir())
