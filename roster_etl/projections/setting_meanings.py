"""What each key of ``roster_etl.toml`` and of a district's file means, in a sentence: for the reference page and for the JSON schemas.

Belongs here: the sentences. Which keys there are, and what they take, is declared where they are read.
"""

from __future__ import annotations

SETTINGS: dict[str, dict[str, str]] = {
    "warehouse": {
        "url": "The database of the roster and the ledger, as an SQLAlchemy URL. Default: `warehouse.sqlite` in the home. Variable: `ROSTER_ETL_WAREHOUSE`."
    },
    "archive": {
        "url": "Where the bytes of every upload are kept: a folder or an fsspec URL. Default: `archive/` in the home. Variable: `ROSTER_ETL_ARCHIVE`."
    },
    "staging": {
        "url": "Where tables are written between steps; disposable. Default: `staging/` in the home. Variable: `ROSTER_ETL_STAGING`."
    },
    "districts": {
        "url": "The registry of districts: a folder or an fsspec URL. Default: `districts/` in the home. Variable: `ROSTER_ETL_DISTRICTS`."
    },
    "landing": {
        "base": "Folder or URL with one folder per district, for feeds without a path of their own. Variable: `ROSTER_ETL_LANDING`.",
        "known_hosts": "File with pinned SFTP host keys. Without it, no SFTP server is trusted.",
        "key_file": "Private key for SFTP, for feeds that name none.",
        "password_file": "File with the password, for feeds that name none.",
        "password_env": "Environment variable with the password, for feeds that name none.",
        "connect_seconds": "Time limit for connecting and logging in.",
        "list_seconds": "Time limit for listing a landing zone.",
        "stall_seconds": "A transfer without a new byte for this long is aborted.",
        "deadline_seconds": "Time limit for any single transfer.",
        "keepalive_seconds": "Seconds between keep-alive messages of SSH.",
        "keepalive_count": "Unanswered keep-alive messages after which the connection is closed.",
        "tick_seconds": "Time limit for the polls of one sensor tick. The next tick polls what is left.",
        "tick_looks": "Landing zones that are polled at the same time.",
        "reread_hours": "A landing zone without anything new for this long is read once more, to find files rewritten in place.",
    },
    "limits": {
        "archive_ratio": "Largest ratio of a zip's unpacked size to its size.",
        "archive_bytes": "Largest unpacked size of a zip, in bytes.",
        "archive_members": "Largest number of entries of a folder or a zip.",
        "file_bytes": "Largest size of one file, in bytes.",
        "upload_files": "Largest number of files that are read from one upload.",
        "upload_bytes": "Largest total size of the files that are read from one upload, in bytes.",
    },
    "mail": {
        "host": "Mail server. Empty: no mail is sent.",
        "port": "Port. 0: the standard port of `security` (starttls 587, tls 465, none 25).",
        "security": "How the connection is encrypted.",
        "user": "User name for the mail server.",
        "password_env": "Environment variable with its password.",
        "password_file": "File with its password, relative to the home.",
        "sender": "Address that mail is sent from.",
        "ca_file": "Certificate authorities to trust instead of the system's.",
        "timeout_seconds": "Time limit for one message.",
        "tries": "Failed attempts after which a message is dead-lettered.",
    },
    "alerts": {
        "webhook_env": 'Environment variable with the URL of a webhook that accepts `{"text": …}`.',
        "webhook_file": "File with that URL.",
        "on": "Events that are reported.",
        "timeout_seconds": "Time limit for one alert.",
    },
    "reports": {
        "url": "Address under which a web server with a log-in shows `reports/` of the home. Empty: nowhere.",
        "data_docs": "Build Great Expectations' Data Docs of every import, beside its report.",
    },
    "imports": {"tries": "Failures in a row after which an upload is dead-lettered."},
    "retention": {
        "runs": "How long Dagster's runs and their events are kept. The newest of each district stay.",
        "frames": "How long staging is kept, for the newest imports of a district.",
        "reports": "How long the pages in `reports/` are kept.",
        "outbox": "How long dead-lettered messages are kept.",
    },
    "receipts": {
        "key_file": "File with the key that signs receipts. Default: in `keys/` of the home.",
        "key_env": "Environment variable with that key as PEM.",
        "installation": "Name of this installation in receipts. Empty: one that is made with the key.",
    },
    "catalog": {"owners": "Owners of all assets in the Dagster UI: e-mail addresses, or teams as `team:name`."},
}

DISTRICT: dict[str, str] = {
    "name": "The district's name in reports and mail.",
    "time_zone": "IANA time zone in which its days begin.",
    "paused": "Import nothing until it is resumed.",
    "contacts": "Mail addresses of the district's contacts.",
    "mail": "Which imports its contacts get mail about.",
    "feed": "Incoming feeds, one for each format.",
    "calendar": "Periods with other thresholds, or without imports.",
    "destination": "Outgoing feeds: where the roster is sent.",
    "reconcile": "How the feeds of this district are compared.",
    "feed.format": "The format, such as `clever`.",
    "feed.path": "Landing folder: a path or an fsspec URL without a password. Default: the district's folder below `[landing] base`.",
    "feed.known_hosts": "File with the server's pinned host key, relative to the home.",
    "feed.key_file": "Private key for SFTP.",
    "feed.password_file": "File with the password.",
    "feed.password_env": "Environment variable with the password.",
    "feed.contacts": "Mail addresses for this feed, besides those of the district.",
    "feed.options": "Options of the format and thresholds.",
    "feed.gate": "Tolerances: expectations of the quality suites that are loosened for this feed.",
    "feed.gate.expectation": "The expectation's id, such as a report shows it.",
    "feed.gate.mostly": "The share of rows that must meet it.",
    "feed.gate.severity": "What a failure does.",
    "feed.gate.reason": "Why; the report shows it.",
    "feed.gate.date": "When it was decided.",
    "feed.replacements": "Code replacements: column, uploaded value, value to use instead.",
    "feed.expected_by": "Local time (`02:30`) by which an upload should be published.",
    "feed.expected_days": "Days on which it is expected. Default: every day.",
    "feed.expected_hours": "An import counts if it ended at most this many hours before.",
    "calendar.from": "First day, in the district's time zone.",
    "calendar.to": "Last day, included.",
    "calendar.reason": "Why; holds and reports show it.",
    "calendar.pause": "Import nothing in this period.",
    "calendar.options": "Thresholds in this period.",
    "calendar.feeds": "Formats concerned. Default: all.",
    "destination.name": "Its name; an asset in Dagster has it too.",
    "destination.format": "The format to write.",
    "destination.to": "Folder or `.zip`: a path or an fsspec URL without a password. An earlier export there is replaced.",
    "destination.source": "The feed whose roster is sent. Needed only if the district has several.",
    "destination.options": "Options of the export.",
    "destination.schools": "Send only these schools, with who is there and what is taught there.",
    "destination.leave_out": "Tables or columns (`table.column`) that are not sent.",
    "destination.enrolled_only": "Send only people with classes.",
    "destination.formulas": "What to do with a cell that begins as a formula does.",
    "destination.strict": "Refuse to send where the format loses a row, or changes or makes up a value.",
    "destination.when": "`after_import`, or a cron line.",
    "destination.shrink_pct": "Send nothing if a file has this many percent fewer rows than at the last sending.",
    "destination.shrink_min": "Never stop the sending for fewer rows than this.",
    "destination.known_hosts": "File with the server's pinned host key.",
    "destination.key_file": "Private key for SFTP.",
    "destination.password_file": "File with the password.",
    "destination.password_env": "Environment variable with the password.",
    "reconcile.match": "Match rules by table, in place of the defaults.",
    "reconcile.ignore": "Columns by table that are not compared.",
}
