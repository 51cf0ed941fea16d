"""Compile the templates of pages and mails once, and keep their byte code as Python keeps that of its modules.

Belongs here: loading a template, and this one measured optimization. Compiling those that an import needs takes a tenth of what a short command
takes. Does not belong here: what a template is filled with (``report_page``, ``mail_content``, ``status_page``).
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import jinja2
from jinja2.bccache import Bucket, BytecodeCache

if TYPE_CHECKING:
    from jinja2 import Environment, Template

_FOLDER = Path(__file__).parent


def load(environment: Environment, name: str, *, built_in: str) -> Template:
    """Return the template `name` of this folder. Args: built_in: the file of the module that has built `environment`."""
    environment.loader = jinja2.FileSystemLoader(_FOLDER)
    environment.bytecode_cache = TemplateByteCode(jinja2.__version__ + Path(built_in).read_text("utf-8"))
    return environment.get_template(name)


class TemplateByteCode(BytecodeCache):
    """The byte code of templates, in the folder ``__pycache__`` beside them.

    It is used for as long as neither the template has changed, nor jinja2, nor what the environment was built from: constants are
    computed with its filters when a template is compiled. A folder that cannot be written to stays as it is.
    """

    def __init__(self, built_from: str) -> None:
        self._built_from = built_from

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        """Return the name of the template, which names the file of its byte code."""
        return name

    def get_source_checksum(self, source: str) -> str:
        """Return the hash of all that the byte code depends on."""
        return super().get_source_checksum(source + self._built_from)

    def load_bytecode(self, bucket: Bucket) -> None:
        """Read the byte code of a template, if it is there; that of another source is not used."""
        try:
            with _path(bucket).open("rb") as file:
                bucket.load_bytecode(file)
        except Exception:  # noqa: BLE001 - it is not there, may not be read, or is damaged: the template is compiled
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Write the byte code of a template, readable by whoever can read the template."""
        if sys.dont_write_bytecode:
            return
        path = _path(bucket)
        with suppress(OSError), TemporaryDirectory(dir=path.parent) as folder:
            new = Path(folder) / path.name
            new.write_bytes(bucket.bytecode_to_string())
            new.chmod((_FOLDER / bucket.key).stat().st_mode & 0o666)
            new.replace(path)  # other processes read the whole file, or none


def _path(bucket: Bucket) -> Path:
    return Path(cache_from_source(str(_FOLDER / bucket.key)))
