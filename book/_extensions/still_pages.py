"""A page for where nothing can be clicked: on paper and in an e-book. Listings are those of one
port, or of all one after the other; what was folded is open; of each figure the light picture
is left."""

from bs4 import BeautifulSoup, Tag

DROPPED = "script, style, button, a.headerlink, img.only-dark, .toggle-button, .tabs-only"


def still(body: str | Tag, port: str | None = None) -> Tag:
    """The body with the listings of a port, or of all."""
    page = body if isinstance(body, Tag) else BeautifulSoup(body, "html.parser")
    for element in page.select(DROPPED):
        element.decompose()
    for element in page.select(".themed-figure img"):
        del element["loading"]
    for drawing in page.select("svg"):
        # XHTML needs to be told, and minds capitals, which a reader of HTML drops.
        drawing["xmlns"] = "http://www.w3.org/2000/svg"
        if "viewbox" in drawing.attrs:
            drawing["viewBox"] = drawing.attrs.pop("viewbox")
    for tabs in page.select(".three-ways"):
        lay_out(tabs, port)
    for cell in page.select(
        ".cell.tag_hide-input:has(figure) > .cell_input, "
        ".cell.tag_hide-input:has(figure) > details"
    ):
        cell.decompose()
    for details in page.select("details"):
        unfold(details)
    return page


def lay_out(tabs: Tag, port: str | None) -> None:
    """Tabs become listings under each other, each under the name of its port."""
    for control in tabs.select("input"):
        control.decompose()
    for label in tabs.find_all("label", recursive=False):
        content = label.find_next_sibling("div")
        if port not in (None, label.get("data-sync-id")):
            content.decompose()
            label.decompose()
            continue
        for rule in content.find_all("hr", recursive=False):
            rule.decompose()
        # the styles of a tab that is not chosen would hide it
        content["class"] = "one-way"
        label.name, label.attrs = "p", {"class": "port"}
    tabs["class"] = "all-ways"


def unfold(details: Tag) -> None:
    """What folds becomes a box, with its title unless that only says that it can be opened."""
    details.name = "div"
    details.attrs.pop("open", None)
    summary = details.find("summary", recursive=False)
    if summary is None:
        return
    if "hide" in details.get("class", []) or summary.select_one(".collapsed"):
        summary.decompose()
    else:
        summary.name = "p"
        summary["class"] = [*summary.get("class", []), "opened"]
