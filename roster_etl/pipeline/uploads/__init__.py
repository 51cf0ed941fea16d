"""Uploads: their order, members, file sets and fingerprint, and those that are pending or archived."""
