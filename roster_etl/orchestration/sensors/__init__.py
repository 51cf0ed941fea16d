"""Dagster sensors: landing zones, freshness, notifications and orphaned runs."""
