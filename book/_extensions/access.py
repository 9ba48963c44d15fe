"""What keeps some readers out of the pages of the theme and of myst-nb, mended in the pages
themselves: what has a name says it, and everything lies in a landmark."""

import re

MENDED = (
    # What folds has a name on it, "Show the source"; its label said something else.
    (re.compile(r'<summary aria-label="Toggle hidden content">'), "<summary>"),
    (re.compile(r'(<button class="btn search-button-field[^>]*?) aria-label="Search"'), r"\1"),
    # The book's own title and its search stand in no landmark.
    (
        re.compile(r'<div id="pst-primary-sidebar" '),
        '<div id="pst-primary-sidebar" role="complementary" aria-label="The book" ',
    ),
    # A header that is empty heads nothing.
    (re.compile(r"<th([^>]*)>\s*(?:<p></p>)?\s*</th>"), r"<td\1></td>"),
    # A role for entries of a bibliography that has been given up, in a list of more than them.
    (re.compile(r' role="doc-biblioentry"'), ""),
    (re.compile(r'<div role="list" class="citation-list">'), '<div class="citation-list">'),
)


def accessible(page: str) -> str:
    for pattern, replacement in MENDED:
        page = pattern.sub(replacement, page)
    return page
