"""The builder of the documentation site: what it refuses, on a small site, and the diagrams that it draws."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md", "benchmarks/reference/README.md", "docs/decisions/README.md")
SETTINGS = """
[project]
site_name = "A small site"
use_directory_urls = false
nav = [{ "Home" = "README.md" }, { "Others" = ["CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md", "benchmarks/reference/README.md"] },
  { "Decisions" = "docs/decisions/" }]
theme.font = false
validation.links.not_found = "warn"
validation.links.anchors = "warn"
markdown_extensions.md_in_html = {}
"""


@pytest.fixture
def small_site(tmp_path: Path) -> Path:
    """A copy of the builder beside a handful of pages."""
    for name in (*PAGES, "README.md", "docs/decisions/0001-one.md"):
        page = tmp_path / name
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(f"# {name}\n\n## More\n", "utf-8")
    (tmp_path / "LICENSE").write_text("Apache-2.0\n", "utf-8")
    (tmp_path / "deploy").mkdir()
    (tmp_path / "tools").mkdir()
    for name in ("build_docs.py", "mermaid_fence.py", "site.css"):
        shutil.copy(ROOT / "tools" / name, tmp_path / "tools" / name)
    (tmp_path / "tools/site.toml").write_text(SETTINGS, "utf-8")
    return tmp_path


def build(site: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "tools/build_docs.py"], cwd=site, capture_output=True, text=True, check=False)


def test_a_site_of_sound_pages_is_built(small_site):
    (small_site / "README.md").write_text("# Home\n\n[one](docs/decisions/0001-one.md#more), [licence](LICENSE)\n", "utf-8")

    built = build(small_site)

    assert (built.returncode, built.stdout, built.stderr) == (0, "build/site/index.html\n", "")
    assert "docs/decisions/0001-one.html#more" in (small_site / "build/site/index.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[gone](docs/gone.md)", "page does not exist"),
        ("[gone](CONTRIBUTING.md#gone)", "anchor does not exist"),
        ('<img src="https://example.org/a.png">', 'index.html: fetches <img src="https://example.org/a.png'),
    ],
)
def test_a_broken_link_and_a_remote_picture_fail_the_build(small_site, text, complaint):
    (small_site / "README.md").write_text(f"# Home\n\n{text}\n", "utf-8")

    built = build(small_site)

    assert built.returncode == 1
    assert complaint in built.stderr


def test_a_page_that_the_navigation_leaves_out_fails_the_build(small_site):
    (small_site / "docs/orphan.md").write_text("# Orphan\n", "utf-8")

    built = build(small_site)

    assert (built.returncode, built.stderr) == (1, "docs/orphan.md: not in the navigation of tools/site.toml\n")


def test_a_diagram_is_drawn_with_styles_of_its_own_and_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location("mermaid_fence", ROOT / "tools/mermaid_fence.py")
    fence = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fence)

    first = fence.as_svg("flowchart LR\n  upload --> roster", "mermaid", "mermaid", {}, None)
    (kept,) = (tmp_path / "build/diagrams").iterdir()

    assert first.startswith("<figure><svg id=")
    assert "upload" in first
    assert "my-svg" not in first
    assert (
        fence.as_svg("flowchart LR\n  upload --> roster", "mermaid", "mermaid", {}, None)
        == f"<figure>{kept.read_text('utf-8')}</figure>"
    )


def test_text_that_is_no_diagram_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location("mermaid_fence", ROOT / "tools/mermaid_fence.py")
    fence = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fence)

    with pytest.raises(Exception, match=r"diagram|Parse|syntax"):
        fence.as_svg("flowchart LR\n  upload -->", "mermaid", "mermaid", {}, None)
    assert list(tmp_path.rglob("*.svg")) == []
