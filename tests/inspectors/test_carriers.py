"""EICAR in everything that carries files, found by YARA in an inspector behind its walls.

Libraries that open files, import modules or start threads when they are first used would fail there.
"""

import base64
import io
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from pikepdf import Dictionary, Encryption, String
from PIL import Image

from filterd.inspectors import NurserySettings
from filterd.model.inspection import Inspection
from tests.inspectors.conftest import Bed, bed
from tests.support.pdfs import action, annotated, form, holding, make_pdf, picture, script_stream
from tests.support.pictures import LINK, code, saved
from tests.support.process import open_folder
from tests.support.world import EICAR

pytestmark = pytest.mark.integration
RULES: Final = Path(__file__).resolve().parents[2] / "rules" / "yara"
TEXT: Final = base64.b64encode(EICAR).decode()


def zipped(name: str, content: bytes) -> bytes:
    """A zip of one member."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


CARRIERS: Final[dict[str, tuple[str, bytes]]] = {
    "a file in a document": ("a.pdf", make_pdf(holding("e.com", EICAR))),
    "a file in an encrypted document": (
        "a.pdf",
        make_pdf(holding("e.com", EICAR), encryption=Encryption(owner="o", user="")),
    ),
    "a file in a document in RC4": (
        "a.pdf",
        make_pdf(holding("e.com", EICAR), encryption=Encryption(owner="o", user="", R=4)),
    ),
    "a script of a document": ("a.pdf", make_pdf(script_stream(EICAR))),
    "a string of a document": ("a.pdf", make_pdf(annotated(action("JavaScript", JS=String(EICAR.decode()))))),
    "a form of a document": ("a.pdf", make_pdf(form(EICAR))),
    "a damaged document": (
        "a.pdf",
        make_pdf(holding("e.com", EICAR), packed=False).replace(b"startxref", b"startxxxx"),
    ),
    "a document in a zip": ("a.zip", zipped("a.pdf", make_pdf(holding("e.zip", zipped("e.com", EICAR))))),
    "a link of a page": ("a.html", f"<a href='data:application/octet-stream;base64,{TEXT}'>".encode()),
    "a script of a page": ("a.html", f"<script>new Blob([atob('{TEXT}')])</script>".encode()),
    "codes in a script": (
        "a.html",
        f"<script>new Blob([new Uint8Array([{','.join(map(str, EICAR))}])])</script>".encode(),
    ),
    "escapes in a script": (
        "a.html",
        f"<script>new Blob(['{''.join([f'%{byte:02x}' for byte in EICAR])}'])</script>".encode(),
    ),
    "a zip in a page": (
        "a.html",
        f"<script>x=atob('{base64.b64encode(zipped('e.com', EICAR)).decode()}')</script>".encode(),
    ),
    "a drawing": ("a.svg", f"<svg><image href='data:image/png;base64,{TEXT}'/></svg>".encode()),
}


@pytest.fixture(scope="module")
def inspector() -> Iterator[Bed]:
    """An inspector with the rule that finds EICAR."""
    with open_folder() as folder:
        shutil.copy(RULES / "eicar.yar", folder)
        (folder / "eicar.yar").chmod(0o644)
        with bed(NurserySettings(rules=str(folder))) as made:
            yield made


def ask(inspector: Bed, name: str, data: bytes) -> Inspection:
    """Have a message with this attachment read."""
    head = f'Content-Type: application/octet-stream; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    body = b"--b\r\n" + head.encode() + base64.encodebytes(data) + b"--b--\r\n"
    fields = ((b"From", b" a@b.test"), (b"Content-Type", b" multipart/mixed; boundary=b"))
    return inspector.ask(body, fields=fields)


@pytest.mark.threat("MIME-16", "MIME-18", "ZIP-08")
@pytest.mark.parametrize("carrier", CARRIERS)
def test_eicar_is_found(carrier: str, inspector: Bed) -> None:
    """The rule hits the stream itself, which is listed as a part."""
    facts = ask(inspector, *CARRIERS[carrier])
    assert facts.problems == ()
    hit = [part for part in facts.parts if "eicar_test_file" in part.rules]
    assert [part.size for part in hit] == [len(EICAR)]
    assert hit[0].path.startswith("1/")
    assert "YARA_EICAR" in {found.symbol for found in facts.hits}


@pytest.mark.parametrize("shape", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "PDF"])
def test_codes_are_read(shape: str, inspector: Bed) -> None:
    """Every format's decoder works behind the walls, and what the code says is a link."""
    drawn = code()
    data = make_pdf(picture(*drawn.size, drawn.tobytes())) if shape == "PDF" else saved(drawn, shape)
    facts = ask(inspector, f"a.{shape.lower()}", data)
    assert facts.problems == ()
    assert facts.urls == (LINK,)
    assert facts.hosts == ("evil.test",)
    assert {"QR_LINK", "QR_LINK_ONLY"} <= {found.symbol for found in facts.findings}


def test_what_a_document_does_is_said(inspector: Bed) -> None:
    """A program that is started, and the host that a link leads to."""
    launch = action("Launch", F=Dictionary(F=String("cmd.exe")))
    facts = ask(inspector, "a.pdf", make_pdf(annotated(launch)))
    assert "PDF_LAUNCH" in {found.symbol for found in facts.findings}
    assert facts.problems == ()


@pytest.mark.parametrize("shape", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_damaged_pictures_are_no_trouble(shape: str, inspector: Bed) -> None:
    """A picture cut short is read as far as it goes, without a library looking for help outside."""
    data = saved(code(), shape)
    for size in (12, len(data) // 2, len(data) - 3):
        assert ask(inspector, "a", data[:size]).problems == ()


def test_a_camera_s_notes_are_no_trouble(inspector: Bed) -> None:
    """A JPEG with the tables that cameras write: how many pictures it holds is told by them."""
    notes = Image.Exif()
    notes[0x010F] = "A camera"
    several = saved(code(), "MPO", save_all=True, append_images=[code()], exif=notes)
    for data in (saved(code(), "JPEG", exif=notes), several):
        facts = ask(inspector, "a.jpg", data)
        assert facts.problems == ()
        assert facts.urls == (LINK,)
