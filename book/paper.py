"""The rendered book as PDF, one file for each port: python book/paper.py [torch mlx rust]

All pages become one, in the order of the table of contents, and the Chromium that is installed
prints it. It does so twice: where a chapter begins is known when it has been printed once.
"""

import re
import shutil
import sys
from html import escape
from pathlib import Path
from posixpath import normpath

import yaml
from bs4 import BeautifulSoup, Tag

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book" / "_extensions"))
from still_pages import still  # noqa: E402, which lies beside the extensions

HTML = ROOT / "_build" / "html"
PDF = ROOT / "_build" / "pdf"
PORTS = {"torch": "PyTorch", "mlx": "MLX", "rust": "Rust"}
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
ARTICLE = re.compile(r'<article class="bd-article.*?</article>', re.DOTALL)
FOOT = """<div style="width: 100%; font: 8pt sans-serif; color: #555; text-align: center">
<span class="pageNumber"></span></div>"""
HEAD = "<span></span>"
MARGINS = {"top": "18mm", "bottom": "20mm", "left": "18mm", "right": "18mm"}
# Names, operators and spaces, which have hardly a colour of their own.
PLAIN = "pre :is(.n, .o, .p, .w, .nb, .bp, .nn, .nf, .nc, .fm, .kn, .kc, .si, .sa, .line)"
LOADED = "() => Promise.all([...document.images].map((image) => image.decode()))"


def parts() -> list[tuple[str, list[str]]]:
    """The parts of the table of contents, each with the names of its pages."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    found = [("", [toc["root"]])]
    for part in toc["parts"]:
        found.append((part["caption"], [chapter["file"] for chapter in part["chapters"]]))
    return found


def anchor(page: str, inside: str = "") -> str:
    """Where a page, or a place in it, is in the one page of all."""
    name = page.replace("/", "-")
    return f"{name}--{inside}" if inside else name


def article(name: str, port: str, names: set[str]) -> Tag:
    """One page, with its ids and links as they are in the one page of all."""
    text = (HTML / f"{name}.html").read_text(encoding="utf-8")
    page = still(BeautifulSoup(ARTICLE.search(text)[0], "html.parser").article, port)
    # A PDF describes each coloured word by itself, so fewer of them make a file half as large.
    for word in page.select(PLAIN):
        word.unwrap()
    page["id"] = anchor(name)
    folder = name.rpartition("/")[0]
    for element in page.find_all(id=True):
        if element is not page:
            element["id"] = anchor(name, element["id"])
    for link in page.select("a[href]"):
        target, _, inside = link["href"].partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        to = normpath(f"{folder}/{target}").removesuffix(".html") if target else name
        if to in names:
            link["href"] = f"#{anchor(to, inside)}"
        else:  # the index, or a file to download
            link.name = "span"
            del link["href"]
    for image in page.select("img[src]"):
        image["src"] = "../html/" + normpath(f"{folder}/{image['src']}")
    return page


def title(page: Tag) -> str:
    return page.h1.get_text(" ", strip=True).replace(" .", ".")


def contents(pages: dict[str, Tag], numbers: dict[str, int]) -> str:
    lines = []
    for caption, names in parts():
        lines += [f"<p class='part'>{escape(caption)}</p>"] if caption else []
        for name in names:
            lines.append(
                f'<p class="entry"><a href="#{anchor(name)}">{escape(title(pages[name]))}</a>'
                f"<span>{numbers.get(anchor(name), '000')}</span></p>"
            )
    return "\n".join(lines)


def whole(port: str, pages: dict[str, Tag], bodies: str, numbers: dict[str, int]) -> str:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    first = (HTML / "book" / "intro.html").read_text(encoding="utf-8")
    files = re.findall(r'href="\.\./(_static/[^"?]+\.css)', first)
    styles = "\n".join(f'<link rel="stylesheet" href="../html/{file}">' for file in files)
    return f"""<!DOCTYPE html>
<html lang="en" data-theme="light" data-mode="light" class="paper">
<head><meta charset="utf-8"><title>Encoders Three Ways: {PORTS[port]}</title>
{styles}</head>
<body><main class="bd-content">
<div class="cover"><p class="name">Encoders Three Ways</p>
<p>The listings are those in {PORTS[port]}.</p>
<p>Version {citation["version"]}, {citation["date-released"]} · {citation["license"]}</p></div>
<nav class="all-pages" aria-label="Contents"><p class="name">Contents</p>
{contents(pages, numbers)}</nav>
{bodies}</main></body></html>"""


def page_numbers(pdf: bytes) -> dict[str, int]:
    """On which page each place is that something links to, as Chromium notes it."""
    objects = dict(re.findall(rb"(?:^|\n)(\d+) 0 obj\s*(.*?)endobj", pdf, re.DOTALL))

    def leaves(key: bytes) -> list[bytes]:
        kids = re.search(rb"/Kids\s*\[([^\]]*)\]", objects[key])
        if kids is None:
            return [key]
        return [leaf for kid in re.findall(rb"(\d+) 0 R", kids[1]) for leaf in leaves(kid)]

    root = re.search(rb"/Type\s*/Catalog\b.*?/Pages (\d+) 0 R", pdf, re.DOTALL)
    order = {key: number for number, key in enumerate(leaves(root[1]), 1)}
    places = re.findall(rb"/([\w.#-]+) \[(\d+) 0 R /XYZ", pdf)
    return {name.decode(): order[page] for name, page in places if page in order}


def make(port: str, browser: object) -> Path:
    names = [name for _, some in parts() for name in some]
    pages = {name: article(name, port, set(names)) for name in names}
    bodies = "\n".join(str(page) for page in pages.values())
    PDF.mkdir(parents=True, exist_ok=True)
    source, target = PDF / f"{port}.html", PDF / f"encoders-three-ways-{port}.pdf"
    numbers: dict[str, int] = {}
    for _ in range(2):
        source.write_text(whole(port, pages, bodies, numbers), encoding="utf-8")
        tab = browser.new_page()
        tab.set_default_timeout(0)
        tab.goto(source.as_uri())
        tab.evaluate(LOADED)
        tab.pdf(
            path=target,
            format="A4",
            margin=MARGINS,
            display_header_footer=True,
            header_template=HEAD,
            footer_template=FOOT,
            outline=True,
            tagged=True,
        )
        tab.close()
        numbers = page_numbers(target.read_bytes())
    source.unlink()
    return target


def main() -> None:
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        sys.exit("Chromium is needed to print the book: install it, and run this again")
    ports = sys.argv[1:] or list(PORTS)
    if unknown := set(ports) - set(PORTS):
        sys.exit(f"there is no port {', '.join(unknown)}; there are {', '.join(PORTS)}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for port in ports:
            print(make(port, browser).relative_to(ROOT))
        browser.close()


if __name__ == "__main__":
    main()
