"""What is generated from the specs: samples, documents, suites, and the folder of a new vendor. No rule is declared here."""
