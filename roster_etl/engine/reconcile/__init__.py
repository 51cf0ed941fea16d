"""Reconciliation: which records of two feeds are the same, by exact rules, and in which columns they disagree."""
