"""The reference page of the settings: every key once, with type, default and meaning."""

from __future__ import annotations

from roster_etl.projections import setting_meanings
from roster_etl.projections.settings_docs import settings_page
from roster_etl.store.registry.toml_file import DISTRICT_KEYS
from roster_etl.store.settings import setting_keys


def test_no_meaning_is_left_of_a_key_that_is_gone():
    assert {table: set(keys) for table, keys in setting_meanings.SETTINGS.items()} == {
        table: set(keys) for table, keys in setting_keys().items()
    }
    assert {path.partition(".")[0] for path in setting_meanings.DISTRICT} == set(DISTRICT_KEYS)
    assert all(
        f"`{path.rpartition('.')[2]}`" in settings_page()
        for path in setting_meanings.DISTRICT
        if path not in {"feed", "calendar", "destination", "reconcile", "feed.gate"}
    )


def test_keys_show_what_they_take_and_their_defaults():
    page = settings_page()

    assert "| `security` | `starttls`, `tls`, `none` | `starttls` | How the connection is encrypted. |" in page
    assert "| `data_docs` | switch | `false` |" in page
    assert "| `format` | text | required | The format, such as `clever`. |" in page
    assert "| `shrink_pct` | percent | `10` |" in page
    assert "### [[feed.gate]]" in page
