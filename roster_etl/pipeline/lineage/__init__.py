"""Lineage: the origin of a published record or cell, and the IDs that a record has had."""
