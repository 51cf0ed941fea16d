"""Landing zones: list an upload where it is, and fetch private copies of it that are consistent.

Belongs here: what listing and fetching mean, over local folders, SFTP and fsspec, and uploads in folders and zips. Nothing is ever
deleted, moved or written there.
"""
