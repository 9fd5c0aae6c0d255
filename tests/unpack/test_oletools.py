"""The public test data of oletools against a table of what each file holds (tests/cases/oletools.tsv)."""

import io
import zipfile
from pathlib import Path
from typing import Final

import pytest

from filterd.unpack import Budget, unpack

TABLE: Final = Path(__file__).resolve().parent.parent / "cases" / "oletools.tsv"
PASSWORD: Final = b"infected-test"


def rows() -> dict[str, tuple[str, str]]:
    """File to findings and what is inside."""
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    table = [line.split("\t") for line in lines]
    return {name: (found, inside) for name, found, inside in table}


def read(folder: Path, name: str) -> bytes:
    """A file, or the member of an archive behind a "!"."""
    file, _, inner = name.partition("!")
    data = (folder / file).read_bytes()
    if not inner:
        return data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(inner, pwd=PASSWORD)


def judge(data: bytes, name: str) -> tuple[str, str]:
    """Findings, and the names of macro modules and embedded files."""
    budget = Budget()
    paths = [member.path for member in unpack(data, "1", name, 0, budget)]
    inside = {
        path.rpartition("/")[2]
        for path in paths
        if path.endswith(".vba") or ("Ole10Native/" in path and not path.endswith("shortcut.txt"))
    }
    symbols = {found.symbol for found in budget.findings}
    return " ".join(sorted(symbols)) or "-", ", ".join(sorted(inside)) or "-"


@pytest.mark.parametrize("name", rows())
@pytest.mark.threat("MIME-18", "ZIP-04")
def test_file(shared: Path, name: str) -> None:
    """Macros, encryption, links and embedded files are named."""
    folder = shared / "data" / "attachments" / "oletools" / "test-data"
    assert judge(read(folder, name), name.rpartition("/")[2]) == rows()[name]


def test_all_files(shared: Path) -> None:
    """The table leaves none out."""
    folder = shared / "data" / "attachments" / "oletools" / "test-data"
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {name for name in rows() if "!" not in name}
