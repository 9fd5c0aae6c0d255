"""PDF documents for tests, written by pikepdf."""

import io
from collections.abc import Callable
from typing import Any, Final

from pikepdf import Array, Dictionary, Encryption, Name, ObjectStreamMode, Pdf, Stream, String

Change = Callable[[Pdf], object]
PAGE: Final = (200, 200)


def make_pdf(
    *changes: Change, packed: bool = True, encryption: Encryption | None = None, compress: bool = True
) -> bytes:
    """A document of one page with these changes; `packed` puts its objects into compressed streams."""
    pdf = Pdf.new()
    pdf.add_blank_page(page_size=PAGE)
    for change in changes:
        change(pdf)
    out = io.BytesIO()
    mode = ObjectStreamMode.generate if packed else ObjectStreamMode.disable
    pdf.save(
        out,
        object_stream_mode=mode,
        encryption=encryption or False,
        compress_streams=compress,
        deterministic_id=encryption is None,
    )
    return out.getvalue()


def action(kind: str, **more: Any) -> Dictionary:
    """An action of a kind."""
    return Dictionary(S=Name("/" + kind), **more)


def annotated(what: Dictionary) -> Change:
    """A link on the page that does this."""

    def change(pdf: Pdf) -> None:
        link = Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=Array([0, 0, 9, 9]), A=what)
        pdf.pages[0].obj.Annots = Array([link])

    return change


def on_open(what: Dictionary) -> Change:
    """The document does this when it is opened."""

    def change(pdf: Pdf) -> None:
        pdf.Root.OpenAction = pdf.make_indirect(what)

    return change


def script_stream(code: bytes) -> Change:
    """A script in a stream, run when the document is opened."""
    return lambda pdf: on_open(action("JavaScript", JS=Stream(pdf, code)))(pdf)


def uri(target: str) -> Change:
    """A link to an address."""
    return annotated(action("URI", URI=String(target)))


def holding(name: str, content: bytes) -> Change:
    """A file inside."""

    def change(pdf: Pdf) -> None:
        pdf.attachments[name] = content

    return change


def form(content: bytes) -> Change:
    """A form in XML."""

    def change(pdf: Pdf) -> None:
        pdf.Root.AcroForm = Dictionary(Fields=Array([]), XFA=Array([String("template"), Stream(pdf, content)]))

    return change


def picture(width: int, height: int, grey: bytes) -> Change:
    """A picture in shades of grey on the page."""

    def change(pdf: Pdf) -> None:
        image = Stream(pdf, grey)
        image.stream_dict.update(
            Dictionary(
                Type=Name.XObject,
                Subtype=Name.Image,
                Width=width,
                Height=height,
                BitsPerComponent=8,
                ColorSpace=Name.DeviceGray,
            )
        )
        pdf.pages[0].obj.Resources = Dictionary(XObject=Dictionary(Im0=image))

    return change
