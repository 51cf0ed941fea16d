"""Formats that are exported and not imported, one module each. ``vendors.export_formats`` finds them by their files."""
