"""Runs the programs of pages and puts the pictures that they draw where the pages show them.

python docs/draw.py                               # the tutorial and the page of plots
python docs/draw.py docs/tutorial/08-game.md
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).parent
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
PICTURE = re.compile(r"!\[[^]]*\]\(([^)]+)\)")


def draw(page: Path) -> None:
    """Run the blocks of a page as one program in a folder of its own, and take its pictures."""
    text = page.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        program = "\n".join(BLOCK.findall(text))
        subprocess.run([sys.executable, "-c", program], cwd=folder, check=True)
        for shown in PICTURE.findall(text):
            drawn = Path(folder) / Path(shown).name
            if drawn.exists():
                (page.parent / shown).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(drawn, page.parent / shown)
                print((page.parent / shown).resolve())


if __name__ == "__main__":
    given = [Path(name) for name in sys.argv[1:]]
    for path in given or [*sorted(DOCS.glob("tutorial/[0-9]*.md")), DOCS / "plots.md"]:
        print(path, flush=True)
        draw(path)
