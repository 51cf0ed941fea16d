"""An environment with the built wheel and the libraries of ``requirements.lock``, made once for all processes of tests.

Belongs here: building the wheel, and the environment, which nobody changes. Its libraries are links to those that are installed here, which
`make setup` installed from the lock, with its hashes; ``make faults`` installs them anew.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.saved import shared_folder

ROOT = Path(__file__).resolve().parent.parent


def build_wheel(folder: Path) -> Path:
    """Build the wheel in a copy of the sources below `folder`, so that nothing is left in the checkout."""
    copy = folder / "sources"
    for name in ("roster_etl", "expectations"):
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    code = f"from setuptools.build_meta import build_wheel; build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=copy, capture_output=True, check=True)
    shutil.rmtree(copy)
    (wheel,) = folder.glob("*.whl")
    return wheel


def site_packages(environment: Path) -> Path:
    (found,) = environment.glob("lib/python*/site-packages")
    return found


def locked() -> Iterator[str]:
    """Yield the libraries that the lock names for this machine."""
    for line in (ROOT / "requirements.lock").read_text("utf-8").splitlines():
        if line[:1].isalnum():
            requirement = Requirement(line.rstrip("\\"))
            if requirement.marker is None or requirement.marker.evaluate():
                yield requirement.name


def link_libraries(site: Path) -> None:
    """Link what the libraries of the lock have installed here, and nothing else, into an empty ``site-packages``."""
    for name in locked():
        found = distribution(name)
        for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(Path(str(found.locate_file(top))))


def make_environment(folder: Path) -> None:
    """Make the environment ``env`` in `folder`."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "env")], check=True)
    link_libraries(site_packages(folder / "env"))
    python = folder / "env" / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", str(python), "install", "-qq", "--disable-pip-version-check")
    subprocess.run([*pip, "--no-deps", "--no-index", str(build_wheel(folder))], check=True)


@pytest.fixture(scope="session")
def wheel_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of the environment."""
    return shared_folder(tmp_path_factory, "wheel", make_environment) / "env" / "bin" / "python"


def environment() -> dict[str, str]:
    """Return what a process of the environment is told of this one's."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "TZ") if name in os.environ}
