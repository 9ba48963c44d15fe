"""What the chapters use to show things: tested source in three tabs, figures for light and dark
pages, figures to move."""

from reference.display.figure import Colors, themed
from reference.display.interactive import interactive
from reference.display.listing import Listing, show, show_shared
from reference.display.quiet import quiet

__all__ = ["Colors", "Listing", "interactive", "quiet", "show", "show_shared", "themed"]
