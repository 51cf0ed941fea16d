"""An SFTP server on loopback, and a district's uploads to it, for the demo and the tests. Not for production."""
