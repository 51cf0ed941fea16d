"""What people and programs are told about an import: summary, report, notifications, metrics, change feed."""
