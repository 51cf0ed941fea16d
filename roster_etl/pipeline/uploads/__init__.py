"""What an upload is: its order, members, file sets, fingerprint, and where it waits or is archived."""
