"""What is derived from the specs: samples, documents, suites, and the folder of a new vendor. No rule is stated here."""
