"""Folding an upload of changes over what is there: rows in, the state that a district should have now out.

Belongs here: what rows do, in their order, and what follows from it. Pure: frames in, frames out; no format is named. The
regular facts of a format are data (``mapping.fold``); the plan that follows is made as for any other format.
"""

from roster_etl.engine.fold.diff import Base, Compared, Differences, Uploaded, base_of, differences
from roster_etl.engine.fold.fold import Folded, FoldInput, fold, tables_of
from roster_etl.engine.fold.rows import Source
from roster_etl.engine.fold.state import IdChange
from roster_etl.engine.fold.sticky import Override, OverrideChange

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
