"""The landing zone: list an upload where it lies, and take private copies of it that are consistent.

Belongs here: what listing and fetching mean, and how it is done in a local folder. Nothing is ever deleted, moved or written there.
Does not belong here: what lies behind a URL (``remote``), when an upload is ready (``settle``), zips (``source``).
"""

from __future__ import annotations
