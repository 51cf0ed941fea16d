"""Errors that a person can fix: one class per cause, each with a stable code and a message template.

A message gives the context, what was expected and found, and what to do. It never holds a cell value or a secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from roster_etl.spec.similar_names import similar_name_hint


class RosterError(Exception):
    """Base class of all errors of roster_etl.

    ``code`` is stable; ``message`` is for people. The message is given, or formatted from ``template`` and its fields.
    """

    code: str = "failed"
    template: ClassVar[str] = "{problem}"

    def __init__(self, message: str | None = None, /, *, code: str | None = None, **data: Any) -> None:
        if code is not None:
            self.code = code
        self.data = data
        self.message = self.template.format(**data) if message is None else message
        super().__init__(self.message)

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep ``data`` when the error is pickled, to pass it between processes."""
        return (type(self), (self.message,), {"data": self.data})


class PermanentError(RosterError):
    """A retry cannot succeed until a person fixes the cause."""

    code = "permanent"


class RetryableError(RosterError):
    """The same call may succeed later: neither the code nor the settings are at fault."""

    code = "retryable"


class SettingsError(PermanentError):
    """A settings file or an environment variable is invalid."""

    code = "bad_settings"
    template = "{where}: {problem}"


class NoHome(PermanentError):
    """The home does not exist, and the command only reads."""

    code = "no_home"
    template = (
        "there is no home {home}; name another with --home DIR or $ROSTER_ETL_HOME, or create this one with `roster-etl districts add` or "
        "`roster-etl import`"
    )


class BadHome(SettingsError):
    """The folder given as home cannot be used as a home."""

    code = "bad_home"
    template = "home {home}: {problem}; name another with --home or ROSTER_ETL_HOME"


class RegistryError(PermanentError):
    """A district's settings are invalid."""

    code = "bad_district"
    template = "{where}: {problem}"


class BadDistrictId(RegistryError):
    """The district ID is not valid as a partition key or a file name."""

    code = "bad_district_id"
    template = "{district_id!r} is no district id; use 1 to 64 of a-z, 0-9, - and _, beginning with a letter or a digit"


class UnknownDistrict(RegistryError):
    """No district with this ID is registered."""

    code = "unknown_district"
    template = "district {district_id} is not registered{hint}; `roster-etl districts list` shows those that are"

    def __init__(self, message: str | None = None, /, *, known: Iterable[str] = (), **data: Any) -> None:
        """Name the district. Args: known: those that are registered; the most similar one is named."""
        super().__init__(message, hint=similar_name_hint(str(data.get("district_id", "")), known), **data)


class UnknownFeed(RegistryError):
    """The district has no feed in this format."""

    code = "unknown_feed"
    template = "district {district_id} has no feed in format {format}; it has: {known}"


class DistrictPaused(PermanentError):
    """Imports of the district are paused, by hand or by its calendar."""

    code = "paused"
    template = "district {district_id} is paused, {why}; `roster-etl districts resume {district_id}` ends the pause"


class DistrictExists(RegistryError):
    """The district, or its feed in this format, is already registered."""

    code = "district_exists"
    template = "district {district_id}: {what} is registered already; use --update to change it"


class RegistryMoved(RetryableError):
    """Another process changed the district's file during the edit."""

    code = "registry_moved"
    template = "district {district_id}: its file changed while it was being edited; nothing was written, try again"


class RegistryUnlocked(PermanentError):
    """The registry cannot be locked here, so concurrent changes could be lost."""

    code = "registry_unlocked"
    template = (
        "registry {where}: it can be read here, not changed: an object store has no locks. With a warehouse on PostgreSQL, that keeps "
        "the lock; else keep the registry in a folder"
    )


class LandingError(PermanentError):
    """A landing zone cannot be used until a person changes something."""

    code = "bad_landing"
    template = "{where}: {problem}"


class NoLanding(LandingError):
    """The feed has no landing folder to watch."""

    code = "no_landing"
    template = (
        "district {district_id}, format {format}: no landing folder; set the feed's path, or [landing] base in roster_etl.toml"
    )


class HostKeyMissing(LandingError):
    """No host key is pinned for the server, so its identity cannot be verified."""

    code = "host_key_missing"
    template = (
        "{where}: no host key is pinned for {host} port {port} (looked in {known_hosts}). Run `ssh-keyscan -p {port} {host}`, compare the "
        "fingerprint with what the server's owner tells you, and put the line into that file, or name another with known_hosts = …"
    )


class HostKeyMismatch(LandingError):
    """The server presented a host key that differs from the pinned one."""

    code = "host_key_mismatch"
    template = (
        "{where}: the server's host key is not the one pinned in {known_hosts}; nothing was sent. Ask the server's owner whether "
        "the key was changed, and pin the new one only if it was"
    )


class LoginRefused(LandingError):
    """The server rejected the user's key or password."""

    code = "login_refused"
    template = "{where}: the server refused the log-in of {user}; check the key or password ({credential})"


class UnsafeSecretFile(LandingError):
    """A key or password file is readable by other users."""

    code = "unsafe_secret_file"
    template = "{path}: others can read this secret (mode {mode}); run `chmod 600` on it"


class UploadTooLarge(LandingError):
    """A file, or the number of files, exceeds a limit in the settings."""

    code = "upload_too_large"
    template = "{where}: {what} is more than the limit of {limit}; raise [limits] {setting} in roster_etl.toml if this is right"


class UnsafeArchive(LandingError):
    """A zip file is not unpacked: it is too large or damaged, or has links or paths that lead outside of it."""

    code = "unsafe_archive"
    template = "{name}: not unpacked: {reason}. Upload the CSV files themselves, or a plain zip of them"


class LandingUnavailable(RetryableError):
    """The landing zone did not answer, or the connection broke."""

    code = "landing_unavailable"
    template = "{where}: {problem}"


class LandingNotFound(LandingUnavailable):
    """The folder or file does not exist (yet)."""

    code = "landing_not_found"
    template = "{where}: not found; check the path, and whether the server shows it to this user"


class UploadMoved(RetryableError):
    """A file, or the list of files, changed while it was read."""

    code = "upload_moved"
    template = "{where}: {name} changed while it was read; it will be read again when it has settled"


class ArchiveError(PermanentError):
    """The archive is damaged: bytes or entries are missing or differ from what was recorded."""

    code = "archive_damaged"
    template = "archive, {key}: {problem}"


class FolderUnavailable(RetryableError):
    """A file cannot be written: the disk is full, or the folder is unavailable."""

    code = "folder_unavailable"
    template = (
        "{where}: a file cannot be written ({problem}); free some space, or see that the place can be reached, and try again"
    )


class FrameError(PermanentError):
    """A staged table cannot be read or written."""

    code = "frame_missing"
    template = "staging, {name}: {problem}"


class StoreUnavailable(RetryableError):
    """An object store, or another store behind a URL, is unavailable."""

    code = "store_unavailable"
    template = "{where}: the store does not respond, or the connection broke off ({problem}); try again"


class StoreRefused(PermanentError):
    """A store behind a URL denies access, or the location does not exist in it."""

    code = "store_refused"
    template = "{where}: {problem}"


class UnsafePath(PermanentError):
    """A name cannot be used as part of a path."""

    code = "unsafe_path"
    template = (
        "{name!r} is no name for a file of ours; allowed are letters, digits, . _ - (not first: . -), at most 128 characters"
    )
