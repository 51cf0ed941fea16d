"""Dagster jobs: building them, and running them in this process."""
