"""File storage: local folders, object stores, temporary folders, credentials."""
