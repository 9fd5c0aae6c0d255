"""Pictures for tests: two-dimensional codes, and others."""

import io
from typing import Final

import zxingcpp
from PIL import Image

LINK: Final = "https://evil.test/login?x=1"


def code(text: str = LINK, scale: int = 6, kind: str = "QRCode") -> Image.Image:
    """A picture of a code, with its quiet zone."""
    barcode = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, kind))
    drawn = zxingcpp.write_barcode_to_image(barcode, scale=scale)
    height, width = drawn.shape
    # The type has a buffer, which its stubs do not say.
    return Image.frombytes("L", (width, height), bytes(memoryview(drawn)))  # type: ignore[arg-type]


def saved(picture: Image.Image, shape: str = "PNG", **options: object) -> bytes:
    """A picture as a file."""
    out = io.BytesIO()
    picture.save(out, shape, **options)
    return out.getvalue()
