"""The road itself: one import from an upload to a published roster, one module per step.

Belongs here: how the rooms below are put together. Not here: Dagster, which walks the same steps for one partition.
"""
