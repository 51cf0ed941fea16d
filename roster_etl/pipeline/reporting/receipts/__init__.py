"""Receipts: signed statements of what a district sent, when it came and what became of it, in one chain for each feed."""
