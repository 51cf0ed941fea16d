"""Draw the Mermaid diagrams of a page while the documentation site is built, so that a reader's browser needs no script for them.

Belongs here: the formatter that `pymdownx.superfences` calls for each fence. Drawings are kept in `build/diagrams`, by their text.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

DRAWN = Path("build/diagrams")


def as_svg(source: str, language: str, css_class: str, options: dict[str, Any], md: object, **rest: object) -> str:
    """Return a Mermaid diagram as an SVG element in a figure."""
    return f"<figure>{_drawn(source)}</figure>"


def _drawn(source: str) -> str:
    name = hashlib.sha256(source.encode()).hexdigest()[:16]
    file = DRAWN / f"{name}.svg"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_drawing(source, f"diagram-{name}"), "utf-8")
    return file.read_text("utf-8")


def _drawing(source: str, element: str) -> str:
    import mermaidx

    svg = mermaidx.render(source).svg()
    if not svg.startswith("<svg") or "Syntax error" in svg:
        raise ValueError(f"not a Mermaid diagram: {source.splitlines()[0]}")
    return svg.replace("my-svg", element)  # one page may have several diagrams, each with styles for its own id
