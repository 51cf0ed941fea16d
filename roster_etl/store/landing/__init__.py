"""Landing zones: list an upload in place, and fetch consistent private copies of it.

Belongs here: listing and fetching over local folders, SFTP and fsspec, for uploads in folders and zips. Landing zones are
read-only: nothing is deleted, moved or written there.
"""
