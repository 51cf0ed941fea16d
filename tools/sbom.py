"""Write docs/sbom.cdx.json: the bill of materials, in CycloneDX 1.6, of what runs beside this project.

Belongs here: converting the page of licences and the lock files. Does not belong here: finding out licences (``licences.py``).
The same inputs give the same bytes: it contains no time and no serial number.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE, BILL = ROOT / "docs" / "licences.md", ROOT / "docs" / "sbom.cdx.json"
_EXPRESSION = re.compile(r"\(|\)|\b(?:AND|OR|WITH)\b")


def rows() -> list[tuple[str, str, str]]:
    """Return name, version and licence of every package on the page of licences."""
    return re.findall(r"^\| ([\w.-]+) \| (?!version )([^ |]+) \| ([^|]+) \| [a-z]+ \|$", PAGE.read_text("utf-8"), re.MULTILINE)


def component(name: str, version: str, licence: str) -> dict[str, Any]:
    """Return the package as a component; the hashes of its files are in the lock, for every platform."""
    stated = {"expression": licence} if _EXPRESSION.search(licence) else {"license": {"name": licence}}
    purl = f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{version}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "licenses": [stated], "purl": purl}


def bill() -> dict[str, Any]:
    """Return the bill of materials."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    own = f"pkg:pypi/{project['name']}@{project['version']}"
    parts = [component(*row) for row in rows()]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": project["name"],
                "version": project["version"],
                "licenses": [{"license": {"id": "Apache-2.0"}}],
                "purl": own,
            }
        },
        "components": parts,
        "dependencies": [{"ref": own, "dependsOn": sorted(part["bom-ref"] for part in parts)}],
    }


def main() -> int:
    """Write the file."""
    found = bill()
    BILL.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(found['components'])} components")
    return 0


if __name__ == "__main__":
    sys.exit(main())
