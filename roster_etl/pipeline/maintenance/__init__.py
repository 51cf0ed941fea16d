"""Maintenance of a home: backup, restore, purge, rebuild, retention, cleanup and migration."""
