"""One HTML document as facts."""

import re
from dataclasses import dataclass
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from filterd.html.shape import MAX_BYTES, too_deep, too_wide

MAX_LINKS: Final = 10_240  # of one document, as many URLs as one message may have
MAX_TEXT: Final = 1_000_000  # characters of visible text kept
MAX_LABEL: Final = 500  # characters of a link's visible text
MAX_ITEMS: Final = 1_000  # forms, scripts, images, data: URLs kept each

_LINKED: Final = "a[href],area[href]"
_ACTIVE: Final = "form,script,iframe,object,embed,meta[http-equiv],base[href],input"
_SOURCES: Final = "[src],[background]"
_INVISIBLE: Final = "script,style,head,title,template,noscript"
_SOME: Final = r"(?![.0-9]*[1-9])"  # a zero that is not the beginning of 0.9
# Each begins with a literal, which makes the search over a whole document many times faster; text is lower case.
_HIDING: Final = tuple(
    [
        re.compile(pattern)
        for pattern in (
            r"display\s{0,8}:\s{0,8}none",
            r"visibility\s{0,8}:\s{0,8}hidden",
            rf"font-size\s{{0,8}}:\s{{0,8}}0{_SOME}",
            rf"opacity\s{{0,8}}:\s{{0,8}}0{_SOME}",
            rf"max-height\s{{0,8}}:\s{{0,8}}0{_SOME}",
            r"text-indent\s{0,8}:\s{0,8}-\d{3}",
        )
    ]
)
_TAGS: Final = re.compile(r"<[^<>]*+>?")
_HREF: Final = re.compile(
    r"(?:href|src|action)\s{0,8}=\s{0,8}(?:\"([^\"]{1,2000})|'([^']{1,2000})|([^\s\"'>]{1,2000}))", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Link:
    """Where a link leads and what a person sees of it; both hostile text."""

    target: str
    label: str


@dataclass(frozen=True, slots=True)
class Page:
    """What one document shows and holds.

    `text` is the visible text, elements parted by line feeds; `hidden` the text that inline styles hide. `sources` are
    addresses loaded without a click. `cause` says why it could not be parsed, and then the facts come from a raw strip.
    """

    text: str = ""
    title: str = ""
    hidden: str = ""
    links: tuple[Link, ...] = ()
    forms: tuple[str, ...] = ()
    passwords: int = 0
    scripts: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    refresh: tuple[str, ...] = ()
    frames: int = 0
    images: int = 0
    base: str = ""
    cause: str = ""


def read_page(html: str) -> Page:
    """Parse a document within the limits. Never raises: what cannot be parsed is stripped, with `cause` set."""
    data = html.encode("utf-8", "replace")
    cause = ""
    if len(data) > MAX_BYTES:
        cause = f"larger than {MAX_BYTES} bytes"
    elif too_deep(data):
        cause = "nested too deeply"
    elif too_wide(data):
        cause = "too many attributes in one tag"
    if cause:
        return _stripped(html[:MAX_BYTES], cause)
    try:
        return _parsed(data, html)
    except (SelectolaxError, RuntimeError, ValueError, MemoryError) as error:
        return _stripped(html[:MAX_BYTES], f"{type(error).__name__}: {error}")


def _parsed(data: bytes, html: str) -> Page:
    """Facts from the tree."""
    parser = LexborHTMLParser(data)
    body = parser.body
    if body is None:
        return Page()
    links = [
        Link((node.attributes.get("href") or "").strip(), node.text(separator=" ")[:MAX_LABEL].strip())
        for node in parser.css(_LINKED)[:MAX_LINKS]
    ]
    facts = _active(parser.css(_ACTIVE)[:MAX_LINKS])
    loaded = parser.css(_SOURCES)[:MAX_LINKS]
    sources = [node.attributes.get("src") or node.attributes.get("background") or "" for node in loaded]
    heading = parser.css_first("title", default=None)
    title = heading.text()[:MAX_LABEL].strip() if heading is not None else ""
    hidden = _take_hidden(parser) if _hides(html) else ""
    for node in parser.css(_INVISIBLE):
        if node.tag != "head" and node.parent is not None:
            node.decompose()
    return Page(
        text=body.text(separator="\n")[:MAX_TEXT],
        title=title,
        hidden=hidden,
        links=tuple(links),
        forms=tuple(facts["form"]),
        passwords=len(facts["password"]),
        scripts=tuple(facts["script"]),
        sources=tuple([source for source in sources if source]),
        refresh=tuple(facts["refresh"]),
        frames=len(facts["frame"]),
        images=sum(1 for node in loaded if node.tag == "img"),
        base=facts["base"][0] if facts["base"] else "",
    )


def _active(nodes: list[LexborNode]) -> dict[str, list[str]]:
    """What a document may do by itself: forms, scripts, frames, refreshes."""
    found: dict[str, list[str]] = {key: [] for key in ("form", "password", "script", "frame", "refresh", "base")}
    for node in nodes:
        tag, attributes = node.tag, node.attributes
        if tag == "form":
            found["form"].append(attributes.get("action") or "")
        elif tag == "script":
            found["script"].append((attributes.get("src") or node.text() or "")[:MAX_TEXT])
        elif tag == "input":
            if (attributes.get("type") or "").lower() == "password":
                found["password"].append("")
        elif tag == "meta":
            if (attributes.get("http-equiv") or "").strip().lower() == "refresh":
                found["refresh"].append(attributes.get("content") or "")
        elif tag == "base":
            found["base"].append(attributes.get("href") or "")
        else:
            found["frame"].append(attributes.get("src") or attributes.get("data") or "")
    return {key: items[:MAX_ITEMS] for key, items in found.items()}


def _hides(style: str) -> bool:
    """True where a style keeps text from being seen."""
    lower = style.lower()
    return any(pattern.search(lower) for pattern in _HIDING)


def _take_hidden(parser: LexborHTMLParser) -> str:
    """The text of elements that their own style hides; they leave the tree, so that the rest is what is seen."""
    pieces: list[str] = []
    size = 0
    hiding = [node for node in parser.css("[style]") if _hides(node.attributes.get("style") or "")]
    # Innermost last: taking an outer element away would free those inside it.
    for node in reversed(hiding):
        if node.tag in ("body", "html") or node.parent is None:
            continue
        text = node.text(separator=" ").strip()
        if text and size < MAX_TEXT:
            pieces.append(text)
            size += len(text)
        node.decompose()
    return "\n".join(reversed(pieces))


def _stripped(html: str, cause: str) -> Page:
    """Without understanding the document: all text between tags, all that looks like a link."""
    links: list[Link] = []
    for match in _HREF.finditer(html):
        if len(links) == MAX_LINKS:
            break
        links.append(Link(match[1] or match[2] or match[3], ""))
    return Page(text=_TAGS.sub("\n", html)[:MAX_TEXT], links=tuple(links), cause=cause)
