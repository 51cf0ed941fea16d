"""What is printed from the specifications: suites, documentation tables, sample data.

Belongs here: pure functions from a spec to text. Does not belong here: acting on rows, or any fact of a vendor.
"""
