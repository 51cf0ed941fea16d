"""Find credentials in the files of this project, with detect-secrets and without a network.

Usage: find_secrets.py [FILE ...]        no FILE: every file under version control.
Prints one line per finding, with file and line number but never the value, and exits with 1 if there is any.
Belongs here: the detectors, and values known to be invented. Does not belong here: credentials at run time (``store``).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

os.environ["DETECT_SECRETS_PERF_PREGATE"] = "1"  # first a search for what any detector looks for: most lines have none of it

from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import transient_settings

ROOT = Path(__file__).resolve().parent.parent
BUILT = {".git", ".venv", "build", "__pycache__"}

# Services that this project or its deployments use, and every form of key that is not bound to a service.
DETECTORS = (
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "Base64HighEntropyString",
    "BasicAuthDetector",
    "GitHubTokenDetector",
    "HexHighEntropyString",
    "JwtTokenDetector",
    "KeywordDetector",
    "NpmDetector",
    "PrivateKeyDetector",
    "SendGridDetector",
    "SlackDetector",
)

# Hashes of packages, and names and versions of packages: long, generated, and checked by their own tests.
SKIPPED_FILES = (r"(^|/)requirements[\w-]*\.lock$", r"(^|/)docs/sbom\.cdx\.json$")

# A line that names the location of a password or a key contains none.
SKIPPED_LINES = (r"(password|api_key)_(env|file)\W", r"AWS_SECRET_ACCESS_KEY, ")

# Values that tests, benchmarks and samples use as passwords. Use one of these for a new test.
INVENTED = (
    r"(?i)^open[-. ]sesame",
    r"(?i)canary",
    r"^hush",
    r"^(other|roster|s3cr|secret|test-key)$",
    r"^not-(a-real-password|even-hashed)",
    r"^of no use elsewhere$",
    r"^[0-9a-f]{16}$",  # a row hash
)

_HEURISTICS = (
    "is_indirect_reference",
    "is_likely_id_string",
    "is_not_alphanumeric_string",
    "is_potential_uuid",
    "is_prefixed_with_dollar_sign",
    "is_sequential_string",
    "is_templated_secret",
)
SETTINGS = {
    "plugins_used": [{"name": name} for name in DETECTORS],
    "filters_used": [
        *({"path": f"detect_secrets.filters.heuristic.{name}"} for name in _HEURISTICS),
        {"path": "detect_secrets.filters.allowlist.is_line_allowlisted"},
        {"path": "detect_secrets.filters.regex.should_exclude_file", "pattern": SKIPPED_FILES},
        {"path": "detect_secrets.filters.regex.should_exclude_line", "pattern": SKIPPED_LINES},
        {"path": "detect_secrets.filters.regex.should_exclude_secret", "pattern": INVENTED},
    ],
}


def project_files() -> list[str]:
    """Return the files under version control, relative to the project; in a copy without git, all that are not build output."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode == 0:
        return [name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]
    return [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file() and not BUILT & set(path.parts)]


def find_secrets(files: list[str]) -> list[str]:
    """Return ``file:line: kind of secret`` for each finding, sorted; values are omitted."""
    found = SecretsCollection()
    with transient_settings(SETTINGS):
        found.scan_files(*files)
    return sorted({f"{file}:{secret.line_number}: {secret.type}" for file, secret in found})


def main(files: list[str]) -> int:
    """Print the findings in the files; return 1 if there are any."""
    if not files:
        os.chdir(ROOT)
    findings = find_secrets(files or project_files())
    for finding in findings:
        print(finding)
    if findings:
        print(
            "If the value is real: revoke it, then remove it from the history. "
            "If it is invented: use one of INVENTED in tools/find_secrets.py, or end the line with '# pragma: allowlist secret'."
        )
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
