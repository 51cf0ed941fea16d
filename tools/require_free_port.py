"""Check, before `dagster dev` starts, that the port given with -p or --port is free: Dagster ends without a word of it."""

from __future__ import annotations

import argparse
import sys

from roster_etl.cli.demo.processes import require_free_port
from roster_etl.cli.global_options import UsageError

parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
parser.add_argument("-p", "--port", type=int)
given = parser.parse_known_args()[0].port
try:
    if given:
        require_free_port(given)
except UsageError as error:
    sys.exit(f"make ui: {error.message}")
