"""Exports as a use case: read the roster, build, read back, move into place, and write down who got what."""
