"""Create the folder of a new vendor: a copy of the template with its names replaced."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from string import capwords

from roster_etl import vendors
from roster_etl.spec.errors import PermanentError

_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]++)*+", re.ASCII)
_TEMPLATE = Path(vendors.__file__).parent / "_template"


class BadVendorName(PermanentError):
    """The name cannot be used for a format."""

    code = "bad_vendor_name"
    template = "{name!r} cannot name a format: use lower-case words of letters and digits joined by _, such as acme_sis"


class VendorExists(PermanentError):
    """The folder already exists; nothing is overwritten."""

    code = "vendor_exists"
    template = "format {name}: {folder} exists; choose another name, or remove the folder first"


def new_vendor(name: str, target: Path) -> tuple[Path, ...]:
    """Write the folder `target`/`name`, a copy of the template under that name, and return its files.

    Args:   target: the folder of all vendors (``roster_etl/vendors`` of a checkout).
    Raises: BadVendorName, VendorExists.
    """
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise BadVendorName(name=name)
    folder = target / name
    if folder.exists():
        raise VendorExists(name=name, folder=folder)
    folder.mkdir(parents=True)
    return tuple(_copy(source, folder / source.name, name) for source in sorted(_TEMPLATE.iterdir()) if source.is_file())


def _copy(source: Path, target: Path, name: str) -> Path:
    text = source.read_text(encoding="utf-8")
    target.write_text(
        text.replace("_template", name).replace("Template", capwords(name, "_").replace("_", " ")), encoding="utf-8"
    )
    return target
