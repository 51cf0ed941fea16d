"""The life of an import: claim, retries, manifest, holds, and what a newer import supersedes."""
