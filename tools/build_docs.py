"""Build the documentation site in `build/site`, strictly: broken links, pages outside the navigation and remote resources fail.

    python tools/build_docs.py

The site is laid out as the repository is, so that a link between documents leads to the same place in both.
Needs the development packages; fetches nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tomlkit

SETTINGS, STYLES = Path("tools/site.toml"), Path("tools/site.css")
DECISIONS = Path("docs/decisions")
SOURCE, SITE, CONFIG = Path("build/site-source"), Path("build/site"), Path("build/zensical.toml")
PARTS = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "LICENSE",
    "docs",
    "deploy",
    "benchmarks/README.md",
    "benchmarks/reference/README.md",
    *(str(page) for page in Path("roster_etl/vendors").glob("[a-z]*/README.md")),
)
_ELSEWHERE = r"""=["']?(?:https?:)?//[^"'> ]+"""
_REMOTE = re.compile(
    rf"<(?:script|img|iframe|source)\b[^>]*\bsrc{_ELSEWHERE}|<link\b[^>]*\brel=[\"']?(?:stylesheet|preconnect)[^>]*\bhref{_ELSEWHERE}"
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def main() -> int:
    """Build the site, print what is wrong with it, and return 1 if anything is."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.rmtree(SITE, ignore_errors=True)
    collect_pages(SOURCE)
    settings = site_settings()
    CONFIG.write_text(tomlkit.dumps(settings), "utf-8")
    wrong = [f"{page}: not in the navigation of {SETTINGS}" for page in pages_outside(settings["project"]["nav"])]
    wrong += build() or remote_resources(SITE)
    for line in wrong:
        print(line, file=sys.stderr)
    if not wrong:
        print(f"{SITE}/index.html")
    return 1 if wrong else 0


def collect_pages(target: Path) -> None:
    """Copy the documents, and the files that they link to, in the layout of the repository."""
    for part in map(Path, PARTS):
        place = target / part
        place.parent.mkdir(parents=True, exist_ok=True)
        if part.is_dir():
            shutil.copytree(part, place)
        else:
            shutil.copy(part, place)
    shutil.copy(STYLES, target / STYLES.name)


def site_settings() -> dict[str, Any]:
    """Return the settings for zensical: those of `tools/site.toml`, with folders and the decision records."""
    settings: dict[str, Any] = tomlkit.parse(SETTINGS.read_text("utf-8")).unwrap()
    project = settings["project"]
    project.update(docs_dir=SOURCE.name, site_dir=SITE.name, extra_css=[STYLES.name])
    project["nav"] = [with_decisions(entry) for entry in project["nav"]]
    return settings


def with_decisions(entry: Any) -> Any:
    """Return an entry of the navigation, with the decision records in place of their folder."""
    if isinstance(entry, str):
        return entry
    ((title, value),) = entry.items()
    if value == f"{DECISIONS}/":
        return {title: [str(page) for page in (DECISIONS / "README.md", *decision_records())]}
    return {title: [with_decisions(part) for part in value] if isinstance(value, list) else value}


def decision_records() -> list[Path]:
    """Return the pages of all decisions, oldest first after the template."""
    return sorted(DECISIONS.glob("[0-9]*.md"))


def pages_outside(nav: list[Any]) -> list[str]:
    """Return the pages that no entry of the navigation names."""
    pages = {str(page.relative_to(SOURCE)) for page in SOURCE.rglob("*.md")}
    return sorted(pages - set(named_pages(nav)))


def named_pages(entry: Any) -> Iterator[str]:
    """Yield each page that a part of the navigation names."""
    if isinstance(entry, str):
        yield entry
        return
    for part in entry.values() if isinstance(entry, dict) else entry:
        yield from named_pages(part)


def build() -> list[str]:
    """Run zensical and return what it complains about: nothing when the site was built."""
    environment = {**os.environ, "PYTHONPATH": "tools"}
    command = [sys.executable, "-m", "zensical", "build", "--strict", "-f", str(CONFIG)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    output = _COLOUR.sub("", done.stdout + done.stderr)
    return [] if done.returncode == 0 else [output.partition("Traceback (most recent call last)")[0]]


def remote_resources(site: Path) -> list[str]:
    """Return each script, style sheet and picture that a page would fetch from another host."""
    return [
        f"{page.relative_to(site)}: fetches {hit}"
        for page in sorted(site.rglob("*.html"))
        for hit in _REMOTE.findall(page.read_text("utf-8"))
    ]


if __name__ == "__main__":
    sys.exit(main())
