"""Chapters store the source that they show. After an edit of the package,

    python -m tests.book.listings

stores it anew in every notebook, which spares executing those that compute for minutes."""

import json
import re
from pathlib import Path

from reference.display import show, show_shared

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted([*(ROOT / "chapters").glob("*.ipynb"), *(ROOT / "book").glob("*.ipynb")])
CALLS = {"show": show, "show_shared": show_shared}
LISTING = re.compile(r"show(_shared)?\(.*\)\s*", re.DOTALL)


def renew(notebook: dict) -> int:
    """Store the listings of a notebook as they are now; how many have changed comes back."""
    changed = 0
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] != "code" or not LISTING.fullmatch(source):
            continue
        listing = eval(source, dict(CALLS))
        html = listing._repr_html_().splitlines(keepends=True)
        data = {"text/html": html, "text/plain": [repr(listing)]}
        for output in cell["outputs"]:
            if output["output_type"] == "execute_result" and output["data"] != data:
                output["data"] = data
                changed += 1
    return changed


def main() -> None:
    for path in NOTEBOOKS:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        if changed := renew(notebook):
            text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
            path.write_text(text, encoding="utf-8")
            print(f"{path.relative_to(ROOT)}: {changed}")


if __name__ == "__main__":
    main()
