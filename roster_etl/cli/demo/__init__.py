"""The demo: upload sample districts to a real SFTP server, and import them into a published roster.

Belongs here: the demo's story and the processes that it starts.
"""
