"""Dagster jobs, and how they are put together and run in this process."""
