"""``python -m roster_etl.cli``."""

from roster_etl.cli import entry

entry()
