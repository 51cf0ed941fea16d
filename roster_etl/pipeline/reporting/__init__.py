"""Reporting on imports: summary, report, notifications, metrics, change feed."""
