"""How Dagster runs here: home, storage, executors, partitions and warm processes."""
