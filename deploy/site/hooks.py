# noqa: INP001  # loaded by mkdocs as a file, in no package
"""What the site needs beyond docs/: the changelog, the files that pages link to, the list of decisions.

Pages of docs/ are read on code hosts too, where `../rules/scores.toml` leads to the file. On the site there is no such
file, so that a copy of it is published below source/, a page where it is Markdown, and the link is turned there. A link
to what does not exist is left as it is, for mkdocs to end the build with.
"""

import posixpath
import re
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).resolve().parents[2]
CHANGELOG: Final = "changelog.md"
DECISIONS: Final = "decisions"
DOCS: Final = "docs/"
APART: Final = "source/"
_LINK: Final = re.compile(r"(\]\()(?!https?:|mailto:|#)([^)#\s]+)")
_TITLE: Final = re.compile(r"# (?P<title>.+)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the decisions by their headings, and put paths where mkdocs wants them."""
    folder = Path(config.docs_dir) / DECISIONS
    pages = [{_heading(path): f"{DECISIONS}/{path.name}"} for path in sorted(folder.glob("*.md"))]
    config.nav = [{"Decisions": pages} if "Decisions" in entry else entry for entry in config.nav or ()]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the changelog, and each file outside docs/ that a page links to; of those that are Markdown, theirs too."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    waiting = [*files.documentation_pages(), File.generated(config, CHANGELOG, content=text)]
    files.append(waiting[-1])
    while waiting:
        page = waiting.pop()
        for _, target in _LINK.findall(page.content_string):
            place = _place(page.src_uri, target)
            if not _published_apart(place) or files.get_file_from_path(_on_site(place)) is not None:
                continue
            text = (ROOT / place).read_text(encoding="utf-8")
            level = InclusionLevel.NOT_IN_NAV
            files.append(File.generated(config, _on_site(place), content=text, inclusion=level))
            waiting += [files.src_uris[_on_site(place)]] if place.endswith(".md") else []
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links that lead out of docs/, or out of what was published apart, to where things are on the site."""
    del config, files
    here = page.file.src_uri

    def turned(match: re.Match[str]) -> str:
        place = _place(here, match[2])
        inside = place.startswith(DOCS) and _origin(here).startswith(DOCS)
        if inside or not (ROOT / place).is_file():
            return match[0]
        return match[1] + posixpath.relpath(_on_site(place), posixpath.dirname(here) or ".")

    return _LINK.sub(turned, markdown)


def _place(page: str, target: str) -> str:
    """Where a link of a page leads to, from the top of this project."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(_origin(page)), target))


def _origin(page: str) -> str:
    """The file that a page of the site is made of, from the top of this project."""
    if page == CHANGELOG:
        return "CHANGELOG.md"
    return page.removeprefix(APART) if page.startswith(APART) else DOCS + page


def _published_apart(place: str) -> bool:
    return not place.startswith((DOCS, "../")) and (ROOT / place).is_file()


def _on_site(place: str) -> str:
    """Where a file of this project is on the site: browsers show .txt, and offer files of other endings to be saved."""
    if place == "CHANGELOG.md":
        return CHANGELOG
    if place.startswith(DOCS):
        return place.removeprefix(DOCS)
    return f"{APART}{place}" if place.endswith(".md") else f"{APART}{place}.txt"


def _heading(path: Path) -> str:
    found = _TITLE.match(path.read_text(encoding="utf-8"))
    return found["title"] if found else path.stem
