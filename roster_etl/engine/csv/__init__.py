"""Read CSV bytes strictly: encoding, record boundaries, header and cells as text.

Belongs here: from bytes to text columns and findings about damage. Not here: what a cell may contain (``validation``).
"""
