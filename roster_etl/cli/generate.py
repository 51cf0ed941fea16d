"""``sample``, ``generate``, ``new-vendor``: files that are generated from the specs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from roster_etl.cli.context import Call
from roster_etl.cli.exit_codes import FAILED
from roster_etl.cli.global_options import UsageError
from roster_etl.cli.options import check_place
from roster_etl.pipeline.reporting.monitoring_files import generated_files as monitoring
from roster_etl.projections.dbt_sources import generated_files as dbt
from roster_etl.projections.docs import generated_files as documents
from roster_etl.projections.json_schemas import generated_files as schemas
from roster_etl.projections.samples import write_sample
from roster_etl.projections.suite_generator import FOLDER
from roster_etl.projections.suite_generator import generated_files as suites
from roster_etl.projections.vendor_template import new_vendor as write
from roster_etl.vendors import discover_vendors, vendor

VENDORS = "roster_etl/vendors"
ASSET_KEYS_FILE = "tests/orchestration/asset_keys.txt"
COMMANDS_FILE = "docs/commands.md"


def sample(
    call: Call,
    format: Annotated[str, typer.Argument(metavar="FORMAT", help="Such as clever.")],
    folder: Annotated[str, typer.Argument(metavar="DIR", callback=check_place, help="Where to write it; it is created.")],
    students: Annotated[int, typer.Option("--students", metavar="N", min=1, help="About how many students.")] = 100,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="The same seed makes the same upload.")] = 1,
) -> int:
    """Write a synthetic, valid district upload. All people in it are invented."""
    place = Path(folder)
    if place.exists() and not place.is_dir():
        raise UsageError(problem="DIR: a file has this name")
    files = write_sample(vendor(format), place, students=students, seed=seed)
    names = [file.name for file in files]
    return call.show_result({"format": format, "folder": str(place), "files": names}, f"{place}: {', '.join(names)}")


def generate(
    call: Call,
    check: Annotated[bool, typer.Option("--check", help="Only compare; exit code 1 if something differs.")] = False,
) -> int:
    """Generate suites, documents and snapshots from the specs."""
    root = checkout()
    texts = generated_texts(root)
    differing = [path for path, text in texts.items() if _read(root / path) != text]
    if not check:
        for path in differing:
            _write(root / path, texts[path])
    lines = [f"{'differs' if check else 'written'}  {path}" for path in differing]
    done = "; `roster-etl generate` writes them" if check and differing else ""
    lines.append(f"{len(differing)} of {len(texts)} generated files {'differ' if check else 'were written'}{done}.")
    call.show_result({"check": check, "differing" if check else "written": differing}, *lines)
    return FAILED if check and differing else 0


def new_vendor(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as acme_sis.")],
) -> int:
    """Create a new format's folder from the template."""
    files = write(name, checkout() / VENDORS)
    names = [str(file) for file in files]
    after = "Fill in the facts, then run `make generate` and `make check`; CONTRIBUTING.md leads through it."
    return call.show_result({"format": name, "files": names}, *names, after)


def generated_texts(root: Path) -> dict[str, str]:
    """Return the text of every generated file by its path below `root`, which holds the committed ones."""
    from roster_etl.cli.command_reference import commands_page
    from roster_etl.orchestration.definitions import asset_keys

    committed = {str(file.relative_to(root)): file.read_text("utf-8") for file in sorted((root / FOLDER).glob("*/*.json"))}
    formats = [vendor.format for vendor in discover_vendors().values()]
    others = {**schemas(), **dbt(), **monitoring(), COMMANDS_FILE: commands_page()}
    return {**documents(), **others, **suites(committed, formats=formats), ASSET_KEYS_FILE: asset_keys()}


def checkout() -> Path:
    """Return the root of the checkout that the current folder is in. Raises UsageError: it is in none."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "pyproject.toml").is_file() and (folder / VENDORS).is_dir():
            return folder
    raise UsageError(problem="this command changes the project's own files: run it in a checkout of the project")


def _read(path: Path) -> str | None:
    return path.read_text("utf-8") if path.exists() else None


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
