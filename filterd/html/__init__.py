"""Hostile HTML to what a person would see of it: text, links, forms, scripts; bounded.

Parsing is lexbor's (the WHATWG algorithm, as browsers do it), but only behind a linear look at nesting, attributes and
size: lexbor is quadratic in nesting depth and in the attributes of one tag. What is beyond those limits is stripped of
its tags without understanding it, and said so.

Beside it, over the bytes: what a document carries in data: URLs and in literals of scripts, and what a drawing (SVG)
does.

Deviations: scripts are not run; style sheets are not applied; text counts as hidden where its own or an ancestor's
`style` says so.
"""

from filterd.html.page import Link, Page, read_page

__all__ = ["Link", "Page", "read_page"]
