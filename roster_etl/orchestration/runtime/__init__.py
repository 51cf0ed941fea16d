"""The Dagster runtime: home, storage, executors, partitions and warm processes."""
