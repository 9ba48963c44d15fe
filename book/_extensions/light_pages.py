"""Pages that weigh little, and show something before all of them has come.

A notebook carries its pictures inside, in both themes; here they become files, of which a
browser fetches the ones that it shows. The theme sets its icons by a script of 1.5 MB; here the
dozen that the pages use are written into them. What is left in a page's head is a style sheet
without the rules that no page needs (stylesheets.py), and scripts that wait until the page is
there.
"""

import base64
import hashlib
import io
import re
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from access import accessible
from docutils import nodes
from mathml import typeset
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from stylesheets import ASKED_FOR, thin

INLINE = re.compile(r'<img ([^>]*?)src="data:image/png;base64,([^"]+)"([^>]*)>')
WIDTH = re.compile(r' width="(\d+)"')
ICON = re.compile(r'<(i|span) class="([^"]*\bfa(?:s|-solid) [^"]*)"([^>]*)></\1>')
ICON_NAME = re.compile(r"\bfa-(?!solid\b|regular\b|lg\b)([a-z-]+)")
SCRIPT = re.compile(r'<script (?!defer|async)([^>]*\bsrc="([^"?]+)[^"]*"[^>]*)></script>')
ICONS = re.compile(r'\s*<script [^>]*src="[^"]*fontawesome\.js[^"]*"></script>')
# The theme loads the search on every page, to search while one is still typing, which the book
# does not do.
SEARCH = re.compile(
    r'\s*<script [^>]*src="[^"]*(?:searchtools|language_data|searchindex)\.js"></script>'
)
# The theme's first style sheet asks for another, which is asked for here at once.
FIRST_STYLE = re.compile(r'<link href="([^"]*)_static/styles/theme\.css')
PRELOADED = re.compile(r'<link rel="preload" as="script"[^>]*>\s*')
# Scripts in the page itself read what it sets.
READ_AT_ONCE = "documentation_options.js"
# The theme's script would say so too, but only after the page has been shown.
THEME_AUTO = 'data-theme="auto">'
THEME_AT_HAND = """
    if (document.documentElement.dataset.mode === "auto")
      document.documentElement.dataset.theme =
        matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  </script>"""
FIRST_SCRIPT_ENDS = re.compile(r"(dataset\.theme = localStorage[^\n]*)\s*</script>")


class Pictures:
    """The pictures of the pages, each in a file of its own; they are compressed by threads."""

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(2)
        self.written: dict[Path, Future[None]] = {}

    def take_out(self, app: Sphinx, page: str, context: dict[str, object]) -> None:
        # An old reader of books may not know WebP.
        kind = "webp" if app.builder.name == "html" else "png"

        def file(found: re.Match[str]) -> str:
            before, encoded, after = found.groups()
            if kind == "png" and "only-dark" in before:
                return ""
            png = base64.b64decode(encoded)
            name = f"{hashlib.sha256(png).hexdigest()[:20]}.{kind}"
            path = Path(app.outdir) / "_images" / name
            if path not in self.written and not path.is_file():
                path.parent.mkdir(exist_ok=True)
                self.written[path] = self.threads.submit(write, png, path)
                if kind == "png":  # which takes no time, and other builders need it at once
                    self.written[path].result()
            source = context["pathto"](f"_images/{name}", 1)
            return f'<img {before}src="{source}"{sized(after, png)}>'

        context["body"] = INLINE.sub(file, str(context["body"]))

    def finish(self) -> None:
        for done in self.written.values():
            done.result()


def write(png: bytes, path: Path) -> None:
    """Nothing is lost: WebP without loss takes a third of what PNG does."""
    from PIL import Image

    if path.suffix == ".png":
        path.write_bytes(png)
        return
    picture = Image.open(io.BytesIO(png))
    opaque = picture.mode != "RGBA" or picture.getextrema()[3][0] == 255
    picture.convert("RGB" if opaque else "RGBA").save(
        path, "WEBP", lossless=True, method=3, quality=75
    )


def sized(attributes: str, png: bytes) -> str:
    """The attributes of an image with its size, so that nothing moves when it comes, and with
    its width for the style sheet."""
    pixels = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
    found = WIDTH.search(attributes)
    width = int(found[1]) if found else pixels[0]
    height = round(width * pixels[1] / pixels[0])
    return (
        f'{WIDTH.sub("", attributes)} width="{width}" height="{height}" '
        f'style="--drawn: {width}px" loading="lazy" decoding="async"'
    )


def icons(static: Path) -> dict[str, tuple[str, str, str]]:
    """Of each icon of the theme its width, height and path. One that comes as an outline and
    filled is the filled one, which comes last."""
    script = (static / "scripts" / "fontawesome.js").read_text(encoding="utf-8")
    return {
        name: (width, height, path)
        for name, width, height, path in re.findall(
            r'[{,]"?([a-z][a-z0-9-]*)"?:\[(\d+),(\d+),\[[^\]]*\],"[0-9a-f]+","([^"]+)"\]',
            script,
        )
    }


def draw_icon(found: re.Match[str], known: dict[str, tuple[str, str, str]]) -> str:
    _, classes, attributes = found.groups()
    name = ICON_NAME.search(classes)
    if name is None or name[1] not in known:
        raise ExtensionError(f"there is no icon for {found[0]}")
    width, height, path = known[name[1]]
    return (
        f'<svg class="svg-inline--fa {" ".join(classes.split())}"{attributes} '
        f'aria-hidden="true" viewBox="0 0 {width} {height}">'
        f'<path fill="currentColor" d="{path}"></path></svg>'
    )


def defer(found: re.Match[str]) -> str:
    attributes, file = found.groups()
    return found[0] if file.endswith(READ_AT_ONCE) else f"<script defer {attributes}></script>"


def lighten(page: str, known: dict[str, tuple[str, str, str]], searches: bool) -> str:
    page = ICON.sub(lambda found: draw_icon(found, known), page)
    page = PRELOADED.sub("", ICONS.sub("", page))
    if not searches:  # whose scripts find one another only if nothing waits
        page = SCRIPT.sub(defer, SEARCH.sub("", page))
    page = page.replace(THEME_AUTO, 'data-theme="light">', 1)
    page = FIRST_SCRIPT_ENDS.sub(lambda found: f"{found[1]}{THEME_AT_HAND}", page, count=1)
    if ASKED_FOR not in page:
        page = FIRST_STYLE.sub(rf'<link href="\1{ASKED_FOR}" rel="stylesheet" />\n\g<0>', page)
    return typeset(page)


def setup(app: Sphinx) -> dict[str, bool]:
    pictures = Pictures()

    def change_body(
        app: Sphinx, page: str, template: str, context: dict[str, object], tree: nodes.document
    ) -> None:
        if isinstance(context.get("body"), str):
            pictures.take_out(app, page, context)
            if app.builder.name != "html":
                context["body"] = typeset(context["body"])

    def change_pages(app: Sphinx, exception: Exception | None) -> None:
        if exception:
            return
        pictures.finish()
        if app.builder.name != "html":
            return
        built = Path(app.outdir)
        known = icons(built / "_static")
        pages = [
            *built.glob("*.html"),
            *built.glob("book/*.html"),
            *built.glob("chapters/*.html"),
        ]
        for path in pages:
            text = path.read_text(encoding="utf-8")
            lighter = accessible(lighten(text, known, path.name == "search.html"))
            if lighter != text:
                path.write_text(lighter, encoding="utf-8")
        thin(built / "_static", pages, own=Path(app.srcdir) / "book" / "_static")

    app.connect("html-page-context", change_body, priority=800)
    app.connect("build-finished", change_pages, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
