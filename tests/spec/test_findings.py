"""Facts about findings and masks."""

from __future__ import annotations

from roster_etl.spec.findings import Finding, mask


def test_names_from_uploads_lose_their_control_characters():
    made = Finding(
        severity="file", code="bad_value", message="m\x00", file="a\x00\x1b.csv", field="N\x00", cause=("b\x00.csv", 2)
    )

    assert (made.message, made.file, made.field, made.key, made.cause) == ("m", "a.csv", "N", None, ("b.csv", 2))


def test_a_mask_shows_the_edges_and_has_an_end():
    assert mask("123456789") == "1••••••89"
    assert mask("12345") == "•••••"
    assert mask("12\x00345") == "•••••"
    assert len(mask("x" * 1_000_000)) == 61
