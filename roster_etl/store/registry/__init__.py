"""The registry of districts and their feeds, one TOML file each."""
