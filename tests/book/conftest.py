"""The fixtures of the tests in a browser, for all files of this folder."""

from tests.book.browser import browser, open_page

__all__ = ["browser", "open_page"]
