"""The demo: upload sample districts to a real SFTP server, and import them into a published roster."""
