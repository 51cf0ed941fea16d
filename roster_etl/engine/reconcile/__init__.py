"""Reconciliation: which records of two feeds are the same, by exact rules, and in which columns they disagree.

Belongs here: matching and comparing tables in memory. Nothing is matched by likeness.
"""
