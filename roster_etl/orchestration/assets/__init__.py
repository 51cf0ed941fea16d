"""The Dagster assets of an import: vendor files, applied changes, canonical tables, warehouse tables, and their checks."""
