"""Apply a delta upload to the current state: rows in, the district's new state out.

Belongs here: the effect of rows, in their order, and what follows from it. Pure functions of tables; no format is named. The
regular facts of a format are data (``mapping.change_plan``); the change plan is then made as for any other format.
"""

from roster_etl.engine.changes.apply import ChangeInput, ChangeResult, apply_changes
from roster_etl.engine.changes.awaited import AWAITED, NEXT, WATCHED, texts_of_versions
from roster_etl.engine.changes.change_findings import RowReference
from roster_etl.engine.changes.change_rows import ChangeFile
from roster_etl.engine.changes.named_ids import collect_named_ids
from roster_etl.engine.changes.override_protection import Override, OverrideChange
from roster_etl.engine.changes.retries import apply_with_retries
from roster_etl.engine.changes.shared_ids import keep_in_quarantine, mark_shared_ids
from roster_etl.engine.changes.state import IdChange
from roster_etl.engine.changes.upload_diff import EarlierImport, UploadedFile, choose_baseline, diff_upload
from roster_etl.mapping.change_plan import changed_tables
