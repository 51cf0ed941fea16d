"""An SFTP server and client on loopback, for the demo and the tests."""
