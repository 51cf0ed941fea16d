"""Examples for the help of each command: what it is for, and a call that a person can copy."""

from __future__ import annotations

PROGRAM = "roster-etl"

# words of the command -> (what for, the arguments after `roster-etl`)
EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "": (
        ("Try it on an empty machine", "demo"),
        ("Validate an upload, and publish nothing", "check upload"),
        ("Look at the last imports", "imports"),
    ),
    "demo": (("Run the demo, then open the Dagster UI", "demo --ui"),),
    "sample": (("Write an invented district of 200 students", "sample clever upload --students 200"),),
    "import": (
        ("Import a folder; the district is registered", "import upload --district lincoln --format clever"),
        (
            "Import a zip with a higher threshold, this time only",
            "import upload.zip --district lincoln --option delete_threshold_pct=20",
        ),
    ),
    "check": (
        ("Validate an upload; its format is recognized", "check upload"),
        ("Validate it, and compare it with the roster", "check upload --district lincoln"),
    ),
    "rerun": (
        ("Run the newest upload again", "rerun --district lincoln"),
        ("Go back to an older upload; its plan is held", "rerun --district lincoln --import 7 --rollback"),
    ),
    "backfill": (("Import again what failed", "backfill --failed"),),
    "show": (("Show an import in full", "show 7"),),
    "open": (("Open the report of the newest import", "open"), ("Open a run in the Dagster UI", "open 7 --run")),
    "trace": (
        ("Where does a record come from", "trace users user_id=1001 user_kind=student --district lincoln"),
        ("Only one cell of it", "trace users user_id=1001 user_kind=student --district lincoln --field email"),
    ),
    "as-of": (
        ("A table as it was a week ago", "as-of 7d users --district lincoln"),
        ("A table as it was yesterday morning, as CSV", "as-of 2026-09-01T08:00 enrollments --district lincoln"),
    ),
    "report": (("Write the report again", "report 7"),),
    "data-docs": (("Build Data Docs of an import", "data-docs 7"),),
    "status": (("What needs a person now", "status"), ("The same for a script", "status --json")),
    "refused": (("Count rejected rows by reason and age", "refused --district lincoln"),),
    "changes": (
        ("What changed after import 7", "changes --district lincoln --since 7"),
        ("The same for a program", "changes --district lincoln --since 7 --json"),
    ),
    "audit": (("Who decided what since yesterday", "audit --since yesterday"),),
    "reconcile": (
        ("Compare the feeds of a district", "reconcile --district lincoln"),
        ("Accept two differences", "reconcile accept 41 42 --reason agreed"),
    ),
    "export": (
        ("Write a roster as OneRoster", "export oneroster --district lincoln --to OneRoster.zip --option user_ids=kinded"),
        ("As it was yesterday", "export clever --district lincoln --to out --as-of yesterday"),
    ),
    "completion": (("Complete commands in this shell", "completion bash"), ("In every new shell", "completion zsh --install")),
    "doctor": (("Check the installation and one district", "doctor --district lincoln"),),
    "migrate": (("Bring the warehouse to this version's schema", "migrate"),),
    "metrics": (
        ("Write metrics for node_exporter", "metrics --to /var/lib/node_exporter/roster_etl.prom"),
        ("Serve them for Prometheus", "metrics --serve 9464"),
    ),
    "rebuild": (("Replay the archive into an empty warehouse", "rebuild --district lincoln --to sqlite:///again.sqlite"),),
    "purge": (
        ("Count what would be removed", "purge --district lincoln --user student:1001 --dry-run"),
        ("Remove what ended more than two years ago", "purge --district lincoln --older-than 730d --yes"),
    ),
    "sweep": (("Run the nightly maintenance now", "sweep"),),
    "backup": (("Back up into a new folder", "backup --to /backups/2026-09-01"),),
    "restore": (
        ("Verify a backup", "restore --from /backups/2026-09-01 --check"),
        ("Restore it into a new home", "restore --from /backups/2026-09-01 --home restored"),
    ),
    "generate": (("Compare the generated files with the specs", "generate --check"),),
    "new-vendor": (("Start the folder of a format", "new-vendor acme_sis"),),
    "undo": (("Plan the state before an import, to approve", "undo 7"),),
    "version": (("For a report of a bug", "version --json"),),
    "imports list": (("The last ten of a district", "imports list --district lincoln --limit 10"),),
    "imports show": (("Show an import in full", "imports show 7"),),
    "imports report": (("Write the report again", "imports report 7"),),
    "imports open": (("Open the report", "imports open 7"),),
    "exports list": (("What was exported of a district", "exports list --district lincoln"),),
    "exports write": (("Write a roster as Clever files", "exports write clever --district lincoln --to out"),),
    "destinations add": (
        (
            "Send each new roster over SFTP",
            "destinations add lms --district lincoln --format oneroster --to sftp://lincoln@sftp.example.org/in --known-hosts known_hosts --key-file id_ed25519",
        ),
    ),
    "destinations list": (("All destinations", "destinations list"),),
    "destinations remove": (("Send no more", "destinations remove lms --district lincoln"),),
    "destinations check": (("Log in, and send nothing", "destinations check lms --district lincoln"),),
    "destinations send": (("Send now", "destinations send lms --district lincoln"),),
    "holds list": (("What waits for approval", "holds list"),),
    "holds show": (("Why, and what would change", "holds show 7"),),
    "holds approve": (
        ("Publish exactly the plan that was shown", "holds approve 7"),
        ("All but the removals of one table", "holds approve 7 --leave-out enrollments --plan 3f2a91c04b7d"),
    ),
    "holds discard": (("Leave the roster as it is", "holds discard 7"),),
    "renames list": (("Which imports have undecided ID changes", "renames list"), ("Those of one import", "renames list 9")),
    "renames approve": (("Only the first of the list", "renames approve 9 --rename 1"),),
    "overrides set": (
        (
            "Correct a name until it is cleared",
            "overrides set users user_id=1001 user_kind=student --district lincoln --field last_name --value Reyes",
        ),
    ),
    "overrides clear": (
        (
            "Give it back to the uploads",
            "overrides clear users user_id=1001 user_kind=student --district lincoln --field last_name",
        ),
    ),
    "overrides list": (("Edits in force", "overrides list --district lincoln"),),
    "people links": (("Who is one human", "people links --district lincoln"),),
    "people link": (
        ("Two records are one human", "people link clever:student:1001 canvas:user:S17 --district lincoln --dry-run"),
    ),
    "people unlink": (("A link is wrong", "people unlink 12 --district lincoln --dry-run"),),
    "districts add": (
        (
            "A district whose uploads arrive over SFTP",
            "districts add lincoln --format clever --path sftp://lincoln@sftp.example.org/home/lincoln --known-hosts known_hosts --password-env LINCOLN_SFTP_PASSWORD",
        ),
    ),
    "districts list": (("All districts", "districts list"), ("With paths and options in full", "districts list --wide")),
    "districts contacts": (("Who gets mail", "districts contacts lincoln"),),
    "districts expect": (("It should be there by seven", "districts expect lincoln --by 07:00 --days mon,tue,wed,thu,fri"),),
    "districts pause": (("Over the holidays", "districts pause lincoln --from 2026-12-21 --to 2027-01-03 --reason holidays"),),
    "districts resume": (("Import again", "districts resume lincoln"),),
    "districts remove": (("Import no more; the roster stays", "districts remove lincoln"),),
    "receipts list": (("Receipts of a district", "receipts list --district lincoln"),),
    "receipts show": (("One receipt", "receipts show 7"),),
    "receipts outcomes": (("What became of each row", "receipts outcomes 7 --to outcomes.csv"),),
    "receipts verify": (("Verify a file of receipts", "receipts verify receipt.dsse.json --key receipts.pub"),),
    "receipts sign": (("Sign what could not be signed", "receipts sign"),),
    "keys init": (("Sign receipts from now on", "keys init"),),
    "keys rotate": (("Replace the key", "keys rotate"),),
    "outbox list": (("What was not delivered", "outbox list"),),
    "outbox send": (("Try again now", "outbox send"),),
    "outbox discard": (("Drop a message", "outbox discard 20260901T080000Z-1"),),
}


def examples_text(words: str) -> str:
    """Return the examples of a command for its help, a paragraph each; empty: it has none."""
    lines = [f"{PROGRAM} {call}   # {what.lower() if what[1:2].islower() else what}" for what, call in EXAMPLES.get(words, ())]
    return "\n\n".join(["Examples:", *lines]) if lines else ""
