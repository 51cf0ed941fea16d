"""Turn validated rows into canonical rows: row steps, column mappings, carried-over values and manual edits."""
