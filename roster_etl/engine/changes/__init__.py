"""Folding an upload of changes over what is there: rows in, the state that a district should have now out.

Belongs here: what rows do, in their order, and what follows from it. Pure: frames in, frames out; no format is named. The
regular facts of a format are data (``mapping.change_plan``); the plan that follows is made as for any other format.
"""

from roster_etl.engine.changes.apply import Folded, FoldInput, fold
from roster_etl.engine.changes.change_rows import Source
from roster_etl.engine.changes.protected_edits import Override, OverrideChange
from roster_etl.engine.changes.state import IdChange
from roster_etl.engine.changes.upload_diff import Base, Compared, Differences, Uploaded, base_of, differences
from roster_etl.mapping.change_plan import tables_of

__all__ = [
    "Base",
    "Compared",
    "Differences",
    "FoldInput",
    "Folded",
    "IdChange",
    "Override",
    "OverrideChange",
    "Source",
    "Uploaded",
    "base_of",
    "differences",
    "fold",
    "tables_of",
]
