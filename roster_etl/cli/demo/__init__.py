"""The demo: sample districts over a real SFTP server into a published roster.

Belongs here: the demo's story and the processes that it starts.
"""
