"""Decisions of people: approve or discard a hold, undo an import, approve renames, set overrides; and the dry run."""
