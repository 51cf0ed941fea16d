"""Landing zones: list, read and fetch what districts upload, over local folders, SFTP and fsspec; uploads in folders and zips."""
