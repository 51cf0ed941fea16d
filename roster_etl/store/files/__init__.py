"""Folders and objects at rest: local folders, object stores, temporary folders, credentials."""
