"""Where an export is written on an SFTP server: under a temporary name, then renamed; the last file last.

Belongs here: the transfer. Log-in, pinned host keys and errors are those of landing zones (``sftp``).
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from roster_etl.spec.errors import LandingUnavailable
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.files.export_target import ExportTargetNotEmpty, check_zip, is_zip, write_zip
from roster_etl.store.files.temp_folders import scratch_folder
from roster_etl.store.files.urls import join
from roster_etl.store.landing.sftp import check_host_key, find_login, open_connection, parse_address, translate_sftp_errors
from roster_etl.store.registry.district import Feed
from roster_etl.store.settings import Settings

_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{12}\.part")
_WITH_PATH = 3  # slashes of a URL that has a path


class SftpTarget:
    """A folder or a zip on an SFTP server."""

    def __init__(self, url: str, settings: Settings, login: Feed, environ: Mapping[str, str]) -> None:
        folder, _, name = url.rpartition("/")
        self._zip = name if is_zip(url) else None
        root = f"{folder}/" if folder.count("/") < _WITH_PATH else folder
        self._address = parse_address(root if self._zip else url)
        self._settings, self._login, self._environ = settings, login, environ

    def check(self, *, replace: bool, former: frozenset[str]) -> None:
        """See ``ExportTarget``."""
        with self._open() as server:
            self._check(server, replace=replace, former=former)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """Create a private folder on this machine."""
        with scratch_folder(self._settings.scratch) as folder:
            yield folder

    def move(self, folder: Path, names: Sequence[str], *, replace: bool, former: frozenset[str]) -> None:
        """See ``ExportTarget``. What is exchanged loses its last file first, so that nobody reads half of each."""
        sent = list(names)
        if self._zip is not None:
            write_zip(folder / self._zip, folder, names)
            sent = [self._zip]
        with self._open() as server:
            there = self._check(server, replace=replace, former=former)
            fault_point("export.move")
            stale = [] if self._zip is not None else [name for name in there if name not in sent]
            for name in [*([sent[-1]] if self._zip is None and sent[-1] in there else []), *stale]:
                with translate_sftp_errors(self._address.url):
                    server.rm_file(self._path(name))
            self._remove_leftovers(server, {*sent, *former})
            for name in sent:
                fault_point("export.part")
                self._put(server, folder / name, name)
            self._require_sizes(server, {name: (folder / name).stat().st_size for name in sent})

    def _put(self, server: Any, source: Path, name: str) -> None:
        """Send a file under a temporary name, and rename it; servers differ in whether a rename replaces."""
        waiting, final = self._path(f".{name}.{secrets.token_hex(6)}.part"), self._path(name)
        with translate_sftp_errors(self._address.url):
            try:
                with source.open("rb") as content, server.open(waiting, "wb") as out:
                    shutil.copyfileobj(content, out, 1 << 20)
                if server.exists(final):
                    server.rm_file(final)
                server.mv(waiting, final)
            except BaseException:
                with suppress(Exception):
                    server.rm_file(waiting)
                raise

    def _remove_leftovers(self, server: Any, names: AbstractSet[str]) -> None:
        """Remove what transfers that broke off left under temporary names: the rows of people in them are of no use."""
        with translate_sftp_errors(self._address.url):
            for entry in server.ls(self._address.folder, detail=False):
                name = entry.rstrip("/").rpartition("/")[2]
                found = _TEMPORARY.fullmatch(name)
                if found and found[1] in names:
                    server.rm_file(self._path(name))

    def _require_sizes(self, server: Any, sizes: Mapping[str, int]) -> None:
        """Require that the place has what was sent: a server may cut files off without a word, and another sender may write there.

        Raises: LandingUnavailable.
        """
        with translate_sftp_errors(self._address.url):
            server.invalidate_cache()
            there = {entry["name"].rpartition("/")[2]: entry["size"] for entry in server.ls(self._address.folder, detail=True)}
        if wrong := [name for name, size in sizes.items() if there.get(name) != size]:
            problem = (
                f"files that are not there as they were sent: {len(wrong)} of {len(sizes)}, such as {wrong[0]}; send it again"
            )
            raise LandingUnavailable(where=self._address.url, problem=problem)

    def _check(self, server: Any, *, replace: bool, former: frozenset[str]) -> set[str]:
        with translate_sftp_errors(self._address.url):
            if not server.exists(self._address.folder):
                server.makedirs(self._address.folder, exist_ok=True)
            server.invalidate_cache()
            entries = server.ls(self._address.folder, detail=False)
        there = {entry.rstrip("/").rpartition("/")[2] for entry in entries}
        there = {name for name in there if not (name.startswith(".") and name.endswith(".part"))}
        if self._zip is not None:
            if self._zip in there:
                check_zip(self._address.url, replace=replace, former=former)
            return there
        if there and not replace:
            raise ExportTargetNotEmpty(
                where=self._address.url, problem="it is not empty; `--replace` exchanges what a former export left there"
            )
        if foreign := there - former:
            problem = f"files there that no former export left: {len(foreign)}; nothing of others is removed"
            raise ExportTargetNotEmpty(where=self._address.url, problem=problem)
        return there

    def _path(self, name: str) -> str:
        return join(self._address.folder, name)

    @contextmanager
    def _open(self) -> Iterator[Any]:
        settings, login = self._settings, self._login
        known_hosts = (
            str(settings.home / Path(login.known_hosts).expanduser()) if login.known_hosts else settings.landing.known_hosts
        )
        check_host_key(self._address, known_hosts)  # before any secret is read
        found = find_login(self._address.url, login, settings, self._environ)
        with open_connection(self._address, found, known_hosts, settings.landing) as server:
            yield server
