"""When, for whom, and in what order: assets, checks, partitions, sensors and resources.

Belongs here: everything that knows Dagster. Bodies unpack, call one named function of a room below, and return with metadata. Not here:
how a file is read, validated, mapped or published.
"""
