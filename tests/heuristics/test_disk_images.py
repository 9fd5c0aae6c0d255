"""Images of discs and drives among attachments, by their content."""

import base64

import pytest

from filterd.inspection.inspect import inspect
from filterd.mime.header import split
from filterd.model.inspection import InspectionJob
from tests.unpack.test_disks import SAMPLES


@pytest.mark.threat("MIME-17")
@pytest.mark.parametrize("kind", ["iso", "fat", "ntfs", "vhd", "vhdx", "dmg", "drive"])
def test_an_image_is_named_whatever_it_is_called(kind: str) -> None:
    """Beside that nobody looked inside: files out of a mounted image carry no mark of the web."""
    content = base64.encodebytes(SAMPLES[kind]).decode()
    raw = (
        "From: a@x.test\r\nContent-Type: application/octet-stream; name=report.bin\r\nMIME-Version: 1.0\r\n"
        f"Content-Transfer-Encoding: base64\r\n\r\n{content}\r\n"
    ).encode()
    fields, start = split(raw)
    facts = inspect(InspectionJob("id", fields, len(raw) - start, 60, 0.0), memoryview(raw)[start:], None)
    assert {"ATTACH_DISK_IMAGE", "UNSCANNABLE_ARCHIVE"} <= {found.symbol for found in facts.findings}
