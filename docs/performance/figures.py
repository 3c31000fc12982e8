"""Draws the pictures of ideas.md; what is counted in them comes from the page's own code.  Run from anywhere."""

import re
from pathlib import Path
from typing import Any

from visual.fast_convolution import draw_patches, draw_tile, draw_traffic
from visual.style import save

HERE = Path(__file__).parent
IMAGES = HERE.parent / "images"


def run_page(path: Path = HERE / "ideas.md") -> dict[str, Any]:
    """Run the page's blocks of Python one after the other and return the names they leave behind."""
    scope: dict[str, Any] = {}
    text = path.read_text(encoding="utf-8")
    for block in re.finditer(r"```python\n(.*?)```", text, re.DOTALL):
        line = text.count("\n", 0, block.start(1))  # so that a traceback names the page's line
        exec(compile("\n" * line + block[1], str(path), "exec"), scope)
    return scope


def main() -> None:
    page = run_page()
    sides = [b for b in range(1, 49) if page["n"] % b == 0]
    traffic = draw_traffic({b: page["misses"](b) for b in sides}, side=page["n"], size=page["Cache"](300).size)
    for name, ax in (("tile", draw_tile()), ("cache", traffic), ("winograd", draw_patches())):
        save(ax.figure, IMAGES / f"performance-{name}.png")


if __name__ == "__main__":
    main()
