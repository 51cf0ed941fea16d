"""Landing zones: list an upload in place, and fetch consistent private copies of it.

Landing zones are read-only: nothing is deleted, moved or written there.
"""
