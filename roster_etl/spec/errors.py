"""Errors that a person can act on: one class a cause, each with a stable code and a message template.

Belongs here: the root class, and the catalogue of what can go wrong with settings, registry, landing zone, archive and frames.
A message gives the context, what was expected and found, and what to do; it never holds a cell value or a secret.
Does not belong here: exit codes (``cli``), findings about an upload's rows (``spec.findings``).
"""

from __future__ import annotations

from typing import Any, ClassVar


class RosterError(Exception):
    """Root of all errors of this program.

    ``code`` is stable; ``message`` is for people. Built from a message, or from the fields of the class's ``template``.
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
        """Survive a trip between processes, data included."""
        return (type(self), (self.message,), {"data": self.data})


class PermanentError(RosterError):
    """Trying again changes nothing: a person has to act first."""

    code = "permanent"


class RetryableError(RosterError):
    """Nothing is wrong with us or with the settings: the same call may succeed later."""

    code = "retryable"


class SettingsError(PermanentError):
    """A settings file, or a variable of the environment, cannot be used."""

    code = "bad_settings"
    template = "{where}: {problem}"


class BadHome(SettingsError):
    """The folder that is named as home cannot be one."""

    code = "bad_home"
    template = "home {home}: {problem}; name another with --home or ROSTER_ETL_HOME"


class RegistryError(PermanentError):
    """A district's settings cannot be used."""

    code = "bad_district"
    template = "{where}: {problem}"


class BadDistrictId(RegistryError):
    """The id could not be a partition key or a file name."""

    code = "bad_district_id"
    template = "{district_id!r} is no district id; use 1 to 64 of a-z, 0-9, - and _, beginning with a letter or a digit"


class UnknownDistrict(RegistryError):
    """No such district is registered."""

    code = "unknown_district"
    template = "district {district_id} is not registered; `roster-etl districts list` shows those that are"


class UnknownFeed(RegistryError):
    """The district has no feed in this format."""

    code = "unknown_feed"
    template = "district {district_id} has no feed in format {format}; it has: {known}"


class DistrictPaused(PermanentError):
    """Imports of the district are paused, by hand or by its calendar."""

    code = "paused"
    template = "district {district_id} is paused, {why}; `roster-etl districts resume {district_id}` ends the pause"


class DistrictExists(RegistryError):
    """The district, or its feed in this format, is registered already."""

    code = "district_exists"
    template = "district {district_id}: {what} is registered already; use --update to change it"


class RegistryMoved(RetryableError):
    """Somebody else wrote the district's file at the same moment."""

    code = "registry_moved"
    template = "district {district_id}: its file changed while it was being edited; nothing was written, try again"


class RegistryUnlocked(PermanentError):
    """Two people could change the registry at once, and the work of one would be lost."""

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
    """The feed names no folder to watch."""

    code = "no_landing"
    template = (
        "district {district_id}, format {format}: no landing folder; set the feed's path, or [landing] base in roster_etl.toml"
    )


class HostKeyMissing(LandingError):
    """No host key is pinned for the server, so that it cannot be told from an impostor."""

    code = "host_key_missing"
    template = (
        "{where}: no host key is pinned for {host} port {port} (looked in {known_hosts}). Run `ssh-keyscan -p {port} {host}`, compare the "
        "fingerprint with what the server's owner tells you, and put the line into that file, or name another with known_hosts = …"
    )


class HostKeyMismatch(LandingError):
    """The server showed another key than the pinned one."""

    code = "host_key_mismatch"
    template = (
        "{where}: the server's host key is not the one pinned in {known_hosts}; nothing was sent. Ask the server's owner whether "
        "the key was changed, and pin the new one only if it was"
    )


class LoginRefused(LandingError):
    """The server did not accept the user's key or password."""

    code = "login_refused"
    template = "{where}: the server refused the log-in of {user}; check the key or password ({credential})"


class UnsafeSecretFile(LandingError):
    """A key or password file can be read by others."""

    code = "unsafe_secret_file"
    template = "{path}: others can read this secret (mode {mode}); run `chmod 600` on it"


class UploadTooLarge(LandingError):
    """A file, or the number of files, is beyond the limits in the settings."""

    code = "upload_too_large"
    template = "{where}: {what} is more than the limit of {limit}; raise [limits] {setting} in roster_etl.toml if this is right"


class UnsafeArchive(LandingError):
    """A zip is not unpacked: too large, damaged, or with links or paths that leave it."""

    code = "unsafe_archive"
    template = "{name}: not unpacked: {reason}. Upload the CSV files themselves, or a plain zip of them"


class LandingUnavailable(RetryableError):
    """The landing zone did not answer, or broke off."""

    code = "landing_unavailable"
    template = "{where}: {problem}"


class LandingNotFound(LandingUnavailable):
    """The folder or file is not there (yet)."""

    code = "landing_not_found"
    template = "{where}: not found; check the path, and whether the server shows it to this user"


class UploadMoved(RetryableError):
    """A file, or the set of files, changed while it was read."""

    code = "upload_moved"
    template = "{where}: {name} changed while it was read; it will be read again when it has settled"


class ArchiveError(PermanentError):
    """The archive does not hold what it should."""

    code = "archive_damaged"
    template = "archive, {key}: {problem}"


class FrameError(PermanentError):
    """A frame between two steps cannot be read or written."""

    code = "frame_missing"
    template = "staging, {name}: {problem}"


class StoreUnavailable(RetryableError):
    """An object store, or another store behind a URL, does not answer."""

    code = "store_unavailable"
    template = "{where}: the store does not answer, or broke off ({problem}); try again"


class StoreRefused(PermanentError):
    """A store behind a URL does not let us in, or has no place for us."""

    code = "store_refused"
    template = "{where}: {problem}"


class UnsafePath(PermanentError):
    """A name that would become part of a path is not a plain one."""

    code = "unsafe_path"
    template = (
        "{name!r} is no name for a file of ours; allowed are letters, digits, . _ - (not first: . -), at most 128 characters"
    )
