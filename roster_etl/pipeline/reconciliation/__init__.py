"""Reconciliation of the feeds of a district: where their current rosters disagree, and what people decided about it.

Nothing here changes a roster. How records are matched and compared is ``engine.reconcile``.
"""
