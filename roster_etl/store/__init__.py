"""Storage and all I/O: landing zones, archive, staging, district registry, outbox, warehouse."""
