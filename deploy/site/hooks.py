# noqa: INP001  # loaded by mkdocs as a file, in no package
"""What the site needs beyond docs/: the changelog, the files that pages link to, the list of decisions.

Pages of docs/ are read on code hosts too, where `../rules/scores.toml` leads to the file. On the site there is no such
file, so that a copy of it is published below source/ and the link is turned there. A link to what does not exist is
left as it is, for mkdocs to end the build with.
"""

import posixpath
import re
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).resolve().parents[2]
CHANGELOG: Final = "changelog.md"
DECISIONS: Final = "decisions"
_LINK: Final = re.compile(r"(\]\()(?!https?:|mailto:|#)([^)#\s]+)")
_TITLE: Final = re.compile(r"# (?P<title>.+)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the decisions by their headings, and put paths where mkdocs wants them."""
    folder = Path(config.docs_dir) / DECISIONS
    pages = [{_heading(path): f"{DECISIONS}/{path.name}"} for path in sorted(folder.glob("*.md"))]
    config.nav = [{"Decisions": pages} if "Decisions" in entry else entry for entry in config.nav or ()]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the changelog, and a copy of each file outside docs/ that a page links to."""
    files.append(File.generated(config, CHANGELOG, content=(ROOT / "CHANGELOG.md").read_text(encoding="utf-8")))
    for file in list(files.documentation_pages()):
        for _, target in _LINK.findall(file.content_string):
            outside = _outside(file.src_uri, target)
            if outside is not None and files.get_file_from_path(_copy(outside)) is None:
                text = (ROOT / outside).read_text(encoding="utf-8")
                files.append(File.generated(config, _copy(outside), content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links that lead out of docs/ to the copies."""
    del config, files
    here = page.file.src_uri

    def turned(match: re.Match[str]) -> str:
        outside = _outside(here, match[2])
        if outside is None:
            return match[0]
        return match[1] + posixpath.relpath(_copy(outside), posixpath.dirname(here) or ".")

    return _LINK.sub(turned, markdown)


def _outside(page: str, target: str) -> str | None:
    """The file of this project, from its top, that a link of a page leads to outside docs/; None for any other."""
    place = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), target))
    if place.startswith(("docs/", "../")) or not (ROOT / place).is_file():
        return None
    return place


def _copy(place: str) -> str:
    """Where a copy lies: browsers show .txt, and offer files of other endings to be saved."""
    return f"source/{place}.txt"


def _heading(path: Path) -> str:
    found = _TITLE.match(path.read_text(encoding="utf-8"))
    return found["title"] if found else path.stem
