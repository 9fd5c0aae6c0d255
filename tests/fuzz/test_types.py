"""Type detection. Invariant: any bytes have types, all of a closed list, and another reader's opinion is among them.

A reader that opens the bytes as a zip or a compressed stream proves that they are one.
"""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from dataclasses import replace
from typing import Final

import pytest

from filterd.unpack import detect
from filterd.unpack.office import has_macros
from filterd.unpack.types import _MAGIC, ARCHIVES, TEXTS
from tests.fuzz.corpus import make_zip
from tests.fuzz.engine import Target, fuzz
from tests.fuzz.worst import assert_linear, fill

KNOWN: Final = {kind for _, kind in _MAGIC} | ARCHIVES | TEXTS | {"tar", "iso", "data", "html", "pdf"}
ZIP: Final = make_zip(("a", b"x"))
SEEDS: Final = (
    b"",
    b"hello",
    b"<!doctype html><html>",
    b"<!-- c -->\r\n <script>",
    b"<?xml version='1.0'?><svg xmlns='x'>",
    b"MZ\x90\0\x03",
    b"%PDF-1.7 x",
    b"{\\rtf1 x",
    b"\x60\xea\x2a\x00arj",
    b"BM" + bytes(60),
    bytes(257) + b"ustar\0",
    bytes(32_769) + b"CD001",
    ZIP,
    b"GIF89a" + ZIP,
    gzip.compress(b"x", mtime=0),
    bz2.compress(b"x"),
    lzma.compress(b"x"),
    *[magic + bytes(40) for magic, _ in _MAGIC],
)
TOKENS: Final = (*[magic for magic, _ in _MAGIC], b"\0", b"\xff\xfe", b" ", b"\xef\xbb\xbf", b"<html", b"<svg>", ZIP)


def check(data: bytes) -> None:
    """Detect, and let others try."""
    found = detect(data)
    assert found
    assert len(set(found)) == len(found)
    assert set(found) <= KNOWN
    assert detect(memoryview(data)) == found
    has_macros(data, found, "x")
    if opens_as_zip(data):
        assert "zip" in found
    for kind, decompress in (("gzip", gzip.decompress), ("bzip2", bz2.decompress), ("xz", lzma.decompress)):
        try:
            content = decompress(data)
        except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError):
            continue
        assert kind in found or not content or (kind == "xz" and data[:6] != b"\xfd7zXZ\0"), kind


def opens_as_zip(data: bytes) -> bool:
    """True where the standard library reads a directory with members in it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return bool(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, IndexError):
        return False


TARGET: Final = Target("types", check, SEEDS, TOKENS, runs=2_000, largest=40_000)


@pytest.mark.threat("MIME-14")
def test_any_bytes() -> None:
    """The invariant over mutants of all magic numbers."""
    fuzz(TARGET)


@pytest.mark.threat("MIME-14")
def test_mutants_of_real_files(files: tuple[bytes, ...]) -> None:
    """The same over mutants of public archives and documents."""
    fuzz(replace(TARGET, name="real-types", seeds=files, runs=500))


@pytest.mark.threat("MIME-19")
@pytest.mark.parametrize(
    "pattern", [b"<!--", b"<!-- -->", b" ", b"<", b"PK\x05\x06", b"\0", b"%PDF", b"<svg"], ids=repr
)
def test_the_worst_is_linear(pattern: bytes) -> None:
    """Comments, blanks and marks cost time by their length."""
    assert_linear(detect, fill(pattern), 30_000)
