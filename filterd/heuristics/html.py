"""Signs in the HTML of a message."""

import re
from typing import Final

from filterd.domains import registrable
from filterd.heuristics.subject import Evidence, Heuristic, Subject

_HIDDEN: Final = 100  # characters; newsletters hide a preview line, word salads are longer in proportion
_SHARE: Final = 4  # hidden text counts where it is longer than a quarter of what is seen
_FEW: Final = 40  # characters of visible text beside an image
_SHOWN_HOST: Final = re.compile(r"(?:https?://)?(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?=[/:?#\s]|\Z)")


def html_only(subject: Subject) -> Evidence:
    """There is HTML, and no plain text beside it."""
    return () if subject.pages and not any(text.strip() for text in subject.texts) else None


def html_hidden_text(subject: Subject) -> Evidence:
    """Much text is there that nobody sees."""
    for page in subject.pages:
        hidden = page.hidden.strip()
        if len(hidden) > _HIDDEN and len(hidden) * _SHARE > len(page.text):
            return (f"{len(hidden)} characters", hidden)
    return None


def html_tiny_text(subject: Subject) -> Evidence:
    """Much of the text is too small to be read."""
    for page in subject.pages:
        if page.tiny > _HIDDEN and page.tiny * _SHARE > len(page.text):
            return (f"{page.tiny} characters",)
    return None


def html_faint_text(subject: Subject) -> Evidence:
    """Text has the colour of what it stands on."""
    for page in subject.pages:
        if page.faint > _HIDDEN:
            return (f"{page.faint} characters",)
    return None


def html_image_only(subject: Subject) -> Evidence:
    """An image and hardly a word."""
    for page in subject.pages:
        if page.images and page.links and len("".join(page.text.split())) < _FEW:
            return (f"{page.images} images",)
    return None


def html_form(subject: Subject) -> Evidence:
    """The message itself holds a form to fill in."""
    found = [action for page in subject.pages for action in page.forms]
    return tuple(found[:3]) if found else None


def html_password(subject: Subject) -> Evidence:
    """The message itself asks for a password."""
    return () if any(page.passwords for page in subject.pages) else None


def html_script(subject: Subject) -> Evidence:
    """The message holds scripts."""
    found = [script for page in subject.pages for script in page.scripts]
    return tuple(found[:1]) if found else None


def html_frame(subject: Subject) -> Evidence:
    """The message loads other documents or objects into itself."""
    return () if any(page.frames for page in subject.pages) else None


def html_refresh(subject: Subject) -> Evidence:
    """The message leads elsewhere by itself."""
    found = [content for page in subject.pages for content in page.refresh]
    return tuple(found[:1]) if found else None


def html_data_link(subject: Subject) -> Evidence:
    """A link leads to a document that the message carries in the link itself, or runs a script."""
    for page in subject.pages:
        for link in page.links:
            start = link.target[:30].lower()
            if start.startswith(("javascript:", "vbscript:", "data:text/html", "data:application")):
                return (link.target,)
    return None


def link_text_mismatch(subject: Subject) -> Evidence:
    """A link shows one domain and leads to another."""
    for url, label in subject.labels:
        match = _SHOWN_HOST.match(label)
        if match is None or (match.end() < len(label) and label[match.end()] == " "):
            continue
        shown = match[0].rpartition("/")[2].lower()
        if url.address or registrable(shown) != registrable(url.host):
            return (shown, url.host)
    return None


TABLE: Final[tuple[tuple[str, Heuristic], ...]] = (
    ("HTML_ONLY", html_only),
    ("HTML_HIDDEN_TEXT", html_hidden_text),
    ("HTML_TINY_TEXT", html_tiny_text),
    ("HTML_FAINT_TEXT", html_faint_text),
    ("HTML_IMAGE_ONLY", html_image_only),
    ("HTML_FORM", html_form),
    ("HTML_PASSWORD", html_password),
    ("HTML_SCRIPT", html_script),
    ("HTML_FRAME", html_frame),
    ("HTML_REFRESH", html_refresh),
    ("HTML_DATA_LINK", html_data_link),
    ("LINK_TEXT_MISMATCH", link_text_mismatch),
)
