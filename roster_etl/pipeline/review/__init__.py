"""Decisions of people: approve or discard a hold, undo, renames, overrides, and the dry run."""
