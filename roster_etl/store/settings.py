"""The settings of an installation: ``<home>/roster_etl.toml`` and the environment.

A district's own settings are in ``registry``, a format's options in ``spec``.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from roster_etl.spec.errors import BadHome, NoHome, SettingsError
from roster_etl.spec.options import parse_duration
from roster_etl.store.fault_injection import configured_fault
from roster_etl.store.files.folder import create_private_folder
from roster_etl.store.files.urls import is_url, join, printable_name, redact

FILE_NAME = "roster_etl.toml"
_URL_SYNTAX_CHARS = "?%#"  # Dagster builds its database URLs from the path without escaping


@dataclass(frozen=True, kw_only=True)
class UploadLimits:
    """The size limits of an upload. ``archive_ratio``: unpacked size over the zip's; the rest in bytes or numbers of files.

    ``upload_files`` and ``upload_bytes``: files that are read, and their total size, by the listing; ``archive_members``: all
    entries of a folder or zip.
    """

    archive_ratio: int = 100
    archive_bytes: int = 1 << 30
    archive_members: int = 10_000
    file_bytes: int = 4 << 30
    upload_files: int = 2_000
    upload_bytes: int = 8 << 30


@dataclass(frozen=True, kw_only=True)
class ImportSettings:
    """How imports are retried. ``tries``: failures in a row after which an upload is dead-lettered."""

    tries: int = 3


@dataclass(frozen=True, kw_only=True)
class LandingSettings:
    """How landing zones are accessed. Times in seconds.

    ``base``: folder (path or URL) with one folder per district, for feeds without a path of their own; empty: none.
    ``known_hosts``, ``key_file``, ``password_file``, ``password_env``: defaults for feeds that set none (see ``district.Feed``).
    ``stall_seconds``: a transfer without a new byte for this long is aborted; ``deadline_seconds``: limit for any single
    transfer.
    ``tick_seconds``: time limit for the polls of one sensor tick, with ``tick_looks`` landing zones at a time; feeds not reached
    are polled by the next tick. ``reread_hours``: after so long without anything new, a landing zone is read once more.
    """

    base: str = ""
    known_hosts: str = ""
    key_file: str = ""
    password_file: str = ""
    password_env: str = ""
    connect_seconds: float = 30
    list_seconds: float = 60
    stall_seconds: float = 60
    deadline_seconds: float = 3600
    keepalive_seconds: float = 15
    keepalive_count: int = 3
    tick_seconds: float = 5
    tick_looks: int = 16
    reread_hours: float = 24


ALERTS = ("held", "rejected", "failed", "late")


@dataclass(frozen=True, kw_only=True)
class MailSettings:
    """How mail is sent, and who runs this. Who gets a district's mail stands in its own file. ``host`` empty: no mail. ``port`` 0: the standard port of ``security`` (starttls 587, tls 465, none 25).

    The password by reference only: a file (relative to the home), or the name of an environment variable. ``ca_file``: trusted
    instead of the system's certificate authorities. ``tries``: failed tries after which a message is dead-lettered.
    ``operators``: addresses of those who run this, told of ``operators_on``; ``reply_to``: where answers of districts go, if not to them.
    """

    host: str = ""
    port: int = 0
    security: str = "starttls"
    user: str = ""
    password_env: str = ""
    password_file: str = ""
    sender: str = ""
    ca_file: str = ""
    timeout_seconds: float = 20
    tries: int = 12
    reply_to: str = ""
    operators: tuple[str, ...] = ()
    operators_on: tuple[str, ...] = ALERTS


@dataclass(frozen=True, kw_only=True)
class AlertSettings:
    """Where alerts are sent: a webhook that accepts ``{"text": …}``. ``on``: events to report.

    The URL is a secret, so it is given by reference only.
    """

    webhook_env: str = ""
    webhook_file: str = ""
    on: tuple[str, ...] = ALERTS
    timeout_seconds: float = 20

    @property
    def is_enabled(self) -> bool:
        """Return whether a webhook is configured."""
        return bool(self.webhook_env or self.webhook_file)


@dataclass(frozen=True, kw_only=True)
class ReportSettings:
    """Report settings. ``url``: where people open ``<home>/reports`` (a web server with a login of its own); empty: nowhere.

    ``data_docs``: whether Great Expectations' Data Docs are built for every import, beside its report.
    """

    url: str = ""
    data_docs: bool = False


@dataclass(frozen=True, kw_only=True)
class UiSettings:
    """The Dagster UI. ``url``: where people open it; empty: no mail or report links to it. ``code_location``: its name for this project."""

    url: str = ""
    code_location: str = "roster_etl"


@dataclass(frozen=True, kw_only=True)
class RetentionSettings:
    """Retention of data that can be rebuilt, as durations such as 90d.

    ``runs``: Dagster runs with their events; ``frames``: staging (kept for a district's newest imports only); ``reports``: the
    pages in the home; ``report_data``: the JSON and CSV files beside them; ``outbox``: dead-lettered messages.
    """

    runs: str = "180d"
    frames: str = "30d"
    reports: str = "730d"
    report_data: str = "7d"
    outbox: str = "90d"

    def max_age(self, kind: str) -> timedelta:
        """Return the retention of `kind`."""
        return parse_duration(getattr(self, kind))


@dataclass(frozen=True, kw_only=True)
class ReceiptSettings:
    """Where the key that signs receipts is, if not in ``<home>/keys``: a file, or the name of an environment variable with its PEM.

    ``installation``: the name of this installation in receipts; empty: one that is made with the key.
    """

    key_file: str = ""
    key_env: str = ""
    installation: str = ""


@dataclass(frozen=True, kw_only=True)
class CatalogSettings:
    """What Dagster's catalog shows of the assets. ``owners``: e-mail addresses, or teams as ``team:name``; none: the package's."""

    owners: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class OpenLineageSettings:
    """Where OpenLineage events go: an http(s) URL, or a file, to which each is added as a line; empty: none are emitted.

    ``namespace``: of jobs and uploaded files. The API key is given by reference only: a file, or the name of an environment variable.
    """

    url: str = ""
    endpoint: str = "api/v1/lineage"
    namespace: str = "roster_etl"
    api_key_env: str = ""
    api_key_file: str = ""
    timeout_seconds: float = 10


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The effective settings of one home folder, with absolute paths.

    ``suites``: folder of quality suites that replace those of the package.
    URLs may contain passwords: show ``to_redacted_dict()`` only.
    """

    home: Path
    warehouse: str
    archive: str
    staging: str
    districts: str
    suites: Path
    landing: LandingSettings
    limits: UploadLimits
    mail: MailSettings = field(default_factory=MailSettings)
    alerts: AlertSettings = field(default_factory=AlertSettings)
    reports: ReportSettings = field(default_factory=ReportSettings)
    ui: UiSettings = field(default_factory=UiSettings)
    imports: ImportSettings = field(default_factory=ImportSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    receipts: ReceiptSettings = field(default_factory=ReceiptSettings)
    catalog: CatalogSettings = field(default_factory=CatalogSettings)
    openlineage: OpenLineageSettings = field(default_factory=OpenLineageSettings)

    @classmethod
    def load(cls, home: Path, environ: Mapping[str, str] | None = None, *, create: bool = True) -> Settings:
        """Read the settings of `home`; a missing one is created (0700), or refused without `create`.

        An environment variable (``ROSTER_ETL_WAREHOUSE``, ``…_ARCHIVE``, ``…_STAGING``, ``…_DISTRICTS``, ``…_LANDING``) overrides
        the file.
        Raises: SettingsError: an unknown key, a wrong type, or a file that is not TOML; all problems at once. BadHome: the folder
        cannot be used, or its name would be parsed as part of a database URL. NoHome: it is missing. BadFault: an invalid fault is
        set.
        """
        configured_fault()  # report an invalid fault at once: else the test that sets it would pass
        home = _prepare_home(home, create=create)
        values = _read(home / FILE_NAME)
        for table, key, variable in _ENV_VARIABLES:
            if given := (os.environ if environ is None else environ).get(variable):
                values.setdefault(table, {})[key] = given
        landing = LandingSettings(**values.get("landing", {}))
        return cls(
            home=home,
            warehouse=_warehouse(home, values),
            archive=_store_url(home, values, "archive"),
            staging=_store_url(home, values, "staging"),
            districts=_store_url(home, values, "districts"),
            suites=home / "expectations",
            landing=_absolute_landing(home, landing),
            limits=UploadLimits(**values.get("limits", {})),
            mail=_mail(home, values.get("mail", {})),
            alerts=_alerts(home, values.get("alerts", {})),
            reports=ReportSettings(**values.get("reports", {})),
            ui=_ui(values.get("ui", {})),
            imports=ImportSettings(**values.get("imports", {})),
            retention=_retention(values.get("retention", {})),
            receipts=_receipts(home, values.get("receipts", {})),
            catalog=_catalog(values.get("catalog", {})),
            openlineage=_openlineage(home, values.get("openlineage", {})),
        )

    @property
    def scratch(self) -> Path:
        """Return the local folder for private temporary files: uploads while they are read."""
        return self.home / "staging" / "scratch"

    def to_redacted_dict(self) -> dict[str, Any]:
        """Return the settings for display: nested plain values, without passwords."""
        return {
            "home": str(self.home),
            **{name: {"url": redact(getattr(self, name))} for name in _STORES},
            "landing": {**vars(self.landing), "base": redact(self.landing.base)},
            "limits": dict(vars(self.limits)),
            "mail": {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self.mail).items()},
            "alerts": {**vars(self.alerts), "on": list(self.alerts.on)},
            "reports": {"url": redact(self.reports.url), "data_docs": self.reports.data_docs},
            "ui": {**vars(self.ui), "url": redact(self.ui.url)},
            "imports": dict(vars(self.imports)),
            "retention": dict(vars(self.retention)),
            "receipts": dict(vars(self.receipts)),
            "catalog": {"owners": list(self.catalog.owners)},
            "openlineage": {**vars(self.openlineage), "url": redact(self.openlineage.url)},
        }

    def __repr__(self) -> str:
        return f"Settings({self.to_redacted_dict()!r})"


_STORES = ("warehouse", "archive", "staging", "districts")
_TEAM = re.compile(r"team:[A-Za-z0-9_-]+")


def _key_types(of: type) -> dict[str, tuple[type, ...]]:
    kinds = {str: (str,), tuple: (list,), int: (int,), bool: (bool,)}
    return {f.name: kinds[type(f.default)] for f in fields(of)}


_KEYS: dict[str, dict[str, tuple[type, ...]]] = {
    **{place: {"url": (str,)} for place in _STORES},
    "landing": _key_types(LandingSettings),
    "limits": {f.name: (int,) for f in fields(UploadLimits)},
    "mail": _key_types(MailSettings),
    "alerts": _key_types(AlertSettings),
    "reports": _key_types(ReportSettings),
    "ui": _key_types(UiSettings),
    "imports": {f.name: (int,) for f in fields(ImportSettings)},
    "retention": _key_types(RetentionSettings),
    "receipts": _key_types(ReceiptSettings),
    "catalog": _key_types(CatalogSettings),
    "openlineage": _key_types(OpenLineageSettings),
}
_CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("mail", "security"): ("starttls", "tls", "none"),
    ("mail", "operators_on"): ALERTS,
    ("alerts", "on"): ALERTS,
}
_ENV_VARIABLES = (
    *((place, "url", f"ROSTER_ETL_{place.upper()}") for place in _STORES),
    ("landing", "base", "ROSTER_ETL_LANDING"),
    ("ui", "code_location", "ROSTER_ETL_CODE_LOCATION"),
)


def setting_keys() -> dict[str, dict[str, tuple[tuple[type, ...], tuple[str, ...]]]]:
    """Return every key of the settings file by table: its types, and the values it is limited to (none: any)."""
    return {table: {key: (types, _CHOICES.get((table, key), ())) for key, types in keys.items()} for table, keys in _KEYS.items()}


def spelling_hint(name: str, known: list[str]) -> str:
    """Return a hint such as ``; did you mean "url"?``, or all known names if none is similar."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f'; did you mean "{close[0]}"?' if close else f"; known are: {', '.join(sorted(known))}"


def require_home(home: Path) -> None:
    """Check that there is a home. Raises NoHome."""
    home = Path(os.path.abspath(home.expanduser()))
    if not home.exists():
        raise NoHome(home=printable_name(str(home)))


def _prepare_home(home: Path, *, create: bool) -> Path:
    """Return `home` as an absolute, existing and writable folder. Raises BadHome, NoHome."""
    home = Path(os.path.abspath(home.expanduser()))
    if found := sorted(set(_URL_SYNTAX_CHARS) & set(str(home))):
        raise BadHome(
            home=printable_name(str(home)), problem=f"its path holds {' and '.join(found)}, which the URL of a database cannot"
        )
    if not create:
        require_home(home)
    try:
        create_private_folder(home)
    except OSError as error:
        raise BadHome(home=printable_name(str(home)), problem=f"it cannot be created ({error.strerror})") from None
    if not home.is_dir():
        raise BadHome(home=printable_name(str(home)), problem="it is not a folder")
    if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        raise BadHome(home=printable_name(str(home)), problem="this user may not write to it")
    return home


def _read(file: Path) -> dict[str, dict[str, Any]]:
    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(where=file.name, problem=f"not a TOML file ({error})") from None
    if problems := [problem for table, given in values.items() for problem in _problems(table, given)]:
        raise SettingsError(where=file.name, problem="; ".join(problems))
    return values


def _problems(table: str, given: Any) -> list[str]:
    if table not in _KEYS:
        return [f'unknown key "{table}"{spelling_hint(table, list(_KEYS))}']
    if not isinstance(given, dict):
        return [f'"{table}" must be a table: [{table}]']
    problems = []
    for key, value in given.items():
        allowed = _KEYS[table].get(key)
        if allowed is None:
            problems.append(f'unknown key "{table}.{key}"{spelling_hint(key, list(_KEYS[table]))}')
        elif isinstance(value, bool) is not (bool in allowed) or not isinstance(value, allowed):
            wanted = {bool: "true or false", str: "text", list: "a list", int: "a whole number"}[allowed[0]]
            problems.append(f'"{table}.{key}" must be {wanted}, found {type(value).__name__}')
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and not value > 0:
            problems.append(f'"{table}.{key}" must be more than 0')
        elif wrong := [one for one in (value if isinstance(value, list) else [value]) if not _is_choice(table, key, one)]:
            problems.append(f'"{table}.{key}": {wrong[0]!r} is none of {", ".join(_CHOICES[table, key])}')
    return problems


def _is_choice(table: str, key: str, value: object) -> bool:
    return (table, key) not in _CHOICES or value in _CHOICES[table, key]


def _mail(home: Path, values: Mapping[str, Any]) -> MailSettings:
    lists = {name: tuple(values[name]) for name in ("operators", "operators_on") if name in values}
    mail = MailSettings(**{**values, **lists, **_files(home, values, "password_file", "ca_file")})
    problems = []
    if any(not is_email_address(str(one)) for one in (*mail.operators, *filter(None, (mail.reply_to,)))):
        problems.append('"mail.operators" and "mail.reply_to" must be e-mail addresses')
    if mail.host and not mail.sender:
        problems.append('"mail.sender" is missing: the address that mail comes from')
    if mail.sender and not is_email_address(mail.sender):
        problems.append('"mail.sender" must be an e-mail address')
    if mail.user and not (mail.password_env or mail.password_file):
        problems.append('"mail.password_env" or "mail.password_file" is missing: the password of "mail.user"')
    if mail.user and mail.security == "none":
        problems.append('"mail.security" must be starttls or tls where there is a password')
    if problems:
        raise SettingsError(where=FILE_NAME, problem="; ".join(problems))
    return mail


def _ui(values: Mapping[str, Any]) -> UiSettings:
    found = UiSettings(**values)
    if found.url and not found.url.startswith(("http://", "https://")):
        raise SettingsError(where=FILE_NAME, problem='"ui.url" must begin with http:// or https://')
    return found


def _openlineage(home: Path, values: Mapping[str, Any]) -> OpenLineageSettings:
    found = OpenLineageSettings(**{**values, **_files(home, values, "api_key_file")})
    if is_url(found.url) and not found.url.startswith(("http://", "https://")):
        raise SettingsError(where=FILE_NAME, problem='"openlineage.url" must begin with http:// or https://, or be a file')
    return replace(found, url=_absolute_location(home, found.url)) if found.url else found


def _alerts(home: Path, values: Mapping[str, Any]) -> AlertSettings:
    given = {**values, **_files(home, values, "webhook_file")}
    return AlertSettings(**{**given, "on": tuple(given.get("on", ALERTS))})


def _receipts(home: Path, values: Mapping[str, Any]) -> ReceiptSettings:
    found = ReceiptSettings(**{**values, **_files(home, values, "key_file")})
    if not is_single_line(found.installation):
        raise SettingsError(where=FILE_NAME, problem='"receipts.installation" must be one line')
    return found


def _catalog(values: Mapping[str, Any]) -> CatalogSettings:
    owners = tuple(values.get("owners", ()))
    if wrong := [one for one in owners if not (isinstance(one, str) and (is_email_address(one) or _TEAM.fullmatch(one)))]:
        problem = f'"catalog.owners": {wrong[0]!r} is neither an e-mail address nor a team such as "team:data-stewards"'
        raise SettingsError(where=FILE_NAME, problem=problem)
    return CatalogSettings(owners=owners)


def _retention(values: Mapping[str, str]) -> RetentionSettings:
    wrong = [name for name, text in values.items() if not _is_positive_duration(text)]
    if wrong:
        raise SettingsError(
            where=FILE_NAME, problem="; ".join(f'"retention.{name}" must be a time such as 90d' for name in wrong)
        )
    return RetentionSettings(**values)


def _is_positive_duration(text: str) -> bool:
    try:
        return parse_duration(text) > timedelta(0)
    except (ValueError, OverflowError):
        return False


def _files(home: Path, values: Mapping[str, Any], *names: str) -> dict[str, str]:
    """Return the named files as absolute paths."""
    return {name: str(home / Path(values[name]).expanduser()) for name in names if values.get(name)}


_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\\x00-\x1f\x7f]+@[^\s@<>,;:\"()\[\]\\\x00-\x1f\x7f]+")


_LINE_BREAKING_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")  # control characters, surrogates, separators of lines and of paragraphs
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # change the reading order of what follows


def is_email_address(text: str) -> bool:
    """Return whether `text` is a plain e-mail address, safe in a message header."""
    return len(text) <= 254 and text.isascii() and _ADDRESS.fullmatch(text) is not None


def is_single_line(text: str) -> bool:
    """Return whether `text` is one line shown as stored: no line break, no control character, no bidirectional override."""
    return not any(unicodedata.category(sign) in _LINE_BREAKING_CATEGORIES or sign in _BIDI_CONTROLS for sign in text)


def _warehouse(home: Path, values: Mapping[str, Any]) -> str:
    url: str = values.get("warehouse", {}).get("url") or "sqlite:///warehouse.sqlite"
    prefix, _, path = url.partition(":///")
    relative = prefix.startswith("sqlite") and path not in ("", ":memory:") and not path.startswith(("/", "file:"))
    return f"{prefix}:///{home / path}" if relative else url


def _store_url(home: Path, values: Mapping[str, Any], name: str) -> str:
    return _absolute_location(home, values.get(name, {}).get("url") or name)


def _absolute_location(home: Path, location: str) -> str:
    return location if is_url(location) else str(home / Path(location).expanduser())


_MAXIMUMS = {"tick_seconds": 30, "tick_looks": 64}  # Dagster aborts a tick after 60 s; each poll has a thread and a connection


def _absolute_landing(home: Path, landing: LandingSettings) -> LandingSettings:
    if over := [f'"landing.{name}" must be at most {most}' for name, most in _MAXIMUMS.items() if getattr(landing, name) > most]:
        raise SettingsError(where=FILE_NAME, problem="; ".join(over))
    base = _absolute_location(home, landing.base) if landing.base else ""
    known_hosts = _absolute_location(home, landing.known_hosts or "known_hosts")
    return LandingSettings(**{**vars(landing), "base": base, "known_hosts": known_hosts})


def landing_folder(settings: Settings, district_id: str, path: str) -> str:
    """Return a feed's landing folder: its own `path`, one relative to the base, or the base's district folder.

    A URL or an absolute path; empty if neither the feed nor the settings name one.
    """
    base = settings.landing.base
    if is_url(path) or Path(path).expanduser().is_absolute():
        return path
    if base:
        return join(base, path or district_id)
    return str(settings.home / Path(path).expanduser()) if path else ""
