"""Types by content."""

import zipfile
from io import BytesIO

import pytest

from filterd.unpack import detect
from filterd.unpack.office import has_macros


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"MZ\x90\0\x03\0", "exe"),
        (b"%PDF-1.7", "pdf"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"{\\rtf1", "rtf"),
        (b"\x7fELF\x02", "elf"),
        (b"  <!DOCTYPE html><html>", "html"),
        (b"<?xml version='1.0'?><svg xmlns='x'>", "svg"),
        (b"<?xml version='1.0'?><a/>", "xml"),
        (b"L\0\0\0\x01\x14\x02\0", "lnk"),
        (bytes(32_769) + b"CD001", "iso"),
        (bytes(257) + b"ustar\0", "tar"),
        (b"\x1f\x9d\x90", "compress"),
        (b"\x04\x22\x4d\x18", "lz4"),
        (b"\x50\x2a\x4d\x18\x01\0\0\0\x07\x04\x22\x4d\x18", "lz4"),
        (b"\x50\x2a\x4d\x18\x01\0\0\0\x07\x28\xb5\x2f\xfd", "zstd"),
        (b"LZIP\x01", "lzip"),
        (b"LZIP is no stream", "text"),
        (b"\x5d\0\0\x80\0" + b"\xff" * 8 + b"\0", "lzma"),
        (b"\x5e\0\0\x80\0" + bytes([9]) + bytes(8), "lzma"),
        (b"\x5d\0\0\x81\0" + b"\xff" * 8 + b"\0", "data"),
        (b"070701" + b"0" * 104, "cpio"),
        (b"0707 is a number", "text"),
        (b"!<arch>\ndebian-binary", "ar"),
        (b"\xed\xab\xee\xdb\x03", "rpm"),
        (b"\x20\x00-lh5-", "lha"),
        (b"\0" * 7 + b"**ACE**", "ace"),
        (bytes(32_769) + b"BEA01", "iso"),
        (b"MZ is how this sentence begins", "text"),
        (b"BM is a sentence, too, of more than fifty-four bytes in all", "text"),
        (b"hello", "text"),
        (b"\0\1\2\3", "data"),
        (b"", "text"),
    ],
)
def test_detected(data: bytes, kind: str) -> None:
    """The content decides."""
    assert detect(data)[0] == kind


@pytest.mark.parametrize(
    ("data", "kind"), [(b"GIF89a" + bytes(100), "gif"), (b"<html>hello", "html"), (b"<?xml version='1.0'?><a/>", "xml")]
)
@pytest.mark.threat("MIME-14")
def test_polyglot_has_both_types(data: bytes, kind: str) -> None:
    """A zip behind a picture or a page is both."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", "x")
    assert detect(data + buffer.getvalue()) == (kind, "zip")


@pytest.mark.parametrize("front", [b"GIF89a" + bytes(100), b"<html><!--", b"MZ\x90\0"])
@pytest.mark.threat("MIME-14")
def test_pdf_behind_something_else(front: bytes) -> None:
    """A document that begins within the first kilobyte is one to its readers."""
    assert detect(front + b"%PDF-1.7")[1:] == ("pdf",)


def test_a_document_stored_in_an_archive_is_its_member_alone() -> None:
    """The archive is not a document for that."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.pdf", "%PDF-1.7")
    assert detect(buffer.getvalue()) == ("zip",)


@pytest.mark.parametrize("tail", [b"\x20\0", b"\0\0PK\x05\x06"], ids=["cut comment", "second end record"])
@pytest.mark.threat("ZIP-03")
def test_zip_behind_something_with_an_odd_end(tail: bytes) -> None:
    """What unpackers still open is still a zip."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", "x")
    assert detect(b"GIF89a" + bytes(100) + buffer.getvalue()[:-2] + tail) == ("gif", "zip")


def test_macros() -> None:
    """A VBA project in an OLE file, or as a member of an OOXML file."""
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "_VBA_PROJECT".encode("utf-16-le")
    assert has_macros(ole, ("ole",), "a.doc")
    assert has_macros(b"", ("ole",), "word/vbaProject.bin")
    assert not has_macros(ole[:8], ("ole",), "a.doc")
