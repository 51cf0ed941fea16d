"""What the process loads from which warm runs are forked; importing this module does it, and only that process imports it.

Belongs here: the calls that load more than imports do. None may start a thread or open a connection: neither survives a fork.
"""

from __future__ import annotations

import gc

from roster_etl.orchestration.definitions import defs
from roster_etl.orchestration.runtime.compact_event_log import load_new_run_log
from roster_etl.orchestration.runtime.dagster_storage import load_default_config
from roster_etl.orchestration.runtime.migration_scripts import load_migration_scripts
from roster_etl.pipeline.reporting import mail_content, report_page, status_page
from roster_etl.quality.gx_preload import preload

load_migration_scripts()
load_new_run_log()
load_default_config()
mail_content.load_templates()
report_page.load_template()
status_page.load_template()
defs.get_repository_def().get_all_jobs()
preload()
gc.freeze()  # what is shared stays shared: a collection in a run would write to every object
