"""Read CSV bytes strictly: encoding, record boundaries, header and cells as text.

Belongs here: bytes in, text columns and findings about damage out. Not here: what a cell may contain (``validation``).
"""
