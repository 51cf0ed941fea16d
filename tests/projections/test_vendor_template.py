"""What a new vendor's folder is."""

from __future__ import annotations

from pathlib import Path

import pytest

from roster_etl import vendors
from roster_etl.projections.vendor_template import BadVendorName, VendorExists, new_vendor


def test_a_new_vendor_is_found_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new_vendor("acme_sis", tmp_path)
    monkeypatch.setattr(vendors, "__path__", [*vendors.__path__, str(tmp_path)])
    vendors._vendors.cache_clear()
    try:
        found = vendors.discover_vendors()["acme_sis"]
    finally:
        vendors._vendors.cache_clear()

    assert found.format.title == "Acme Sis"
    assert found.folder() == tmp_path / "acme_sis"


def test_no_word_of_the_template_is_left(tmp_path: Path) -> None:
    paths = new_vendor("acme", tmp_path)

    assert not [path.name for path in paths if "template" in path.read_text(encoding="utf-8").casefold()]


@pytest.mark.parametrize("name", ["", "Acme", "9a", "a-b", "../x", "class", "_x", "a__b", "x\n"])
def test_a_name_that_is_no_module_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadVendorName):
        new_vendor(name, tmp_path)


def test_nothing_is_written_over(tmp_path: Path) -> None:
    new_vendor("acme", tmp_path)

    with pytest.raises(VendorExists):
        new_vendor("acme", tmp_path)
