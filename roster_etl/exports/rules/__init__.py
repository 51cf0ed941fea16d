"""Rules that formats share: functions that narrow and rewrite the canonical tables of an export, and count what that loses."""
