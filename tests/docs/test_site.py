"""The documentation site builds without a complaint and without the network, and its pages can be found and read."""

import logging
import re
import warnings
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import pytest

from filterd.config.toml import read_text

pytestmark = pytest.mark.docs

ROOT: Final = Path(__file__).resolve().parents[2]
SETTINGS: Final = ROOT / "deploy" / "site" / "mkdocs.yml"
# What a browser fetches by itself, by element: attributes that name it.
_FETCHED: Final = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "object": "data"}
_ELSEWHERE: Final = re.compile(r"^(?:https?:)?//")
_STYLE_FETCHES: Final = re.compile(r"(?:url\(|@import )[\"']?(?:https?:)?//")
_HEADING: Final = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_ANCHOR: Final = re.compile(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)")
_FENCED: Final = re.compile(r"```.*?```", re.DOTALL)
_LINKED: Final = re.compile(r"\[([^\]]*)\]\([^)]*\)")


class _Fetches(HTMLParser):
    """Addresses of what a page has a browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if told.get("rel") != "canonical" and tag in _FETCHED:
            self.found.append(told.get(_FETCHED[tag]) or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly in this process, where the network is closed: any complaint fails every test here."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setenv("NO_MKDOCS_2_WARNING", "1")  # the theme's own news
        warnings.simplefilter("ignore")  # of libraries that only build documents
        from mkdocs.commands.build import build  # noqa: PLC0415  # the theme speaks when it is imported
        from mkdocs.config import load_config  # noqa: PLC0415  # the same

        folder = tmp_path_factory.mktemp("site")
        told: list[str] = []
        listening = _Listening(told)
        logging.getLogger("mkdocs").addHandler(listening)
        try:
            config = load_config(str(SETTINGS), strict=True, site_dir=str(folder))
            build(config)
        except BaseException as error:  # noqa: BLE001  # mkdocs ends with SystemExit
            pytest.fail("\n".join([*told, repr(error)]))
        finally:
            logging.getLogger("mkdocs").removeHandler(listening)
        return folder


class _Listening(logging.Handler):
    """Keeps what mkdocs complains of."""

    def __init__(self, told: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        self._told.append(record.getMessage())


def test_every_page_is_there(site: Path) -> None:
    """Broken links, anchors that are not there and pages that no menu names would have ended the build."""
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    assert {page for page in pages if not (site / page).is_file()} == set()


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    """No font, script, style or picture of another host, in pages and in styles."""
    for path in site.rglob("*.html"):
        page = _Fetches()
        page.feed(path.read_text(encoding="utf-8"))
        assert [target for target in page.found if _ELSEWHERE.match(target)] == [], path
    for path in site.rglob("*.css"):
        assert _STYLE_FETCHES.search(path.read_text(encoding="utf-8")) is None, path


def test_what_pages_link_to_in_the_checkout_is_published(site: Path) -> None:
    """Word for word, though it lies outside of docs/."""
    copies = list((site / "source").rglob("*.txt"))
    assert site / "source" / "rules" / "scores.toml.txt" in copies
    for copy in copies:
        original = ROOT / copy.relative_to(site / "source").with_suffix("")
        assert read_text(original) == read_text(copy)


def test_the_search_knows_every_page(site: Path) -> None:
    """Its index holds a word of each."""
    index = (site / "search" / "search_index.json").read_text(encoding="utf-8")
    named = {path.relative_to(site).as_posix() for path in site.rglob("*.html")} - {"404.html"}
    assert {name for name in named if f'"location":"{name}' not in index} == set()


DOCUMENTS: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")])


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_anchors_are_headings_on_a_code_host_too(path: Path) -> None:
    """What is behind a # is a heading there, as code hosts spell it, which is not always the site's way."""
    for target, anchor in _ANCHOR.findall(path.read_text(encoding="utf-8")):
        page = path.parent / target if target else path
        headings = _HEADING.findall(_FENCED.sub("", page.read_text(encoding="utf-8")))
        assert anchor in {_slug(heading) for heading in headings}, f"{target}#{anchor}"


def _slug(heading: str) -> str:
    """A heading as an anchor: words and dashes, a dash for each blank."""
    words = _LINKED.sub(r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
