"""Compute what publishing would change: the plan, its thresholds and the evidence for removals.

Belongs here: pure comparison of mapped tables with the current roster. Not here: whether to hold (``pipeline.steps.hold_policy``).
"""
