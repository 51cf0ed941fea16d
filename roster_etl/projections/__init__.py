<<<<<<< HEAD
"""What is derived from the specs: samples, documents, suites, and the folder of a new vendor. No rule is stated here."""
=======
"""What is printed from the specifications: suites, documentation tables, sample data.

Belongs here: pure functions from a spec to text. Does not belong here: acting on rows, or any fact of a vendor.
"""
>>>>>>> w/quality
