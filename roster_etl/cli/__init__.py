"""The command line: the same verbs as the jobs, for a person at a prompt or a script.

Belongs here: words, options, exit codes, and how an outcome is printed. Not here: what a verb does (``pipeline``), and no import of
Dagster at the top of a module; only the commands that run a job import it, when they are called.
"""
