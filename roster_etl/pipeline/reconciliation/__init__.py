"""Reconciliation of the feeds of a district: where their current rosters disagree, and what people decided about it.

Belongs here: reading the rosters, keeping the history of differences, decisions. How records are matched and compared is
``engine.reconcile``. Nothing here changes a roster.
"""
