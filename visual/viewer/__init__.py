"""The interactive page: surfaces that turn in a browser, with their values, paths and a shared scale.

`write_viewer` makes it from `Sheet` and `Walk`, plain records.
"""

from visual.viewer.page import write_viewer
from visual.viewer.sheet import Sheet, Walk

__all__ = ["Sheet", "Walk", "write_viewer"]
