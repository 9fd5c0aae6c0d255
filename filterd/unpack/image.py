"""Pictures: two-dimensional codes in them, whose links nobody else reads.

Pillow decodes, zxing-cpp reads. A picture's size is looked at before anything is decoded; JPEG is decoded at the least
scale that suffices. A damaged picture holds no code that a telephone could read, and is no finding.
"""

import warnings
from collections.abc import Iterator
from io import BytesIO
from typing import Final

import zxingcpp
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from filterd.mime import symbols
from filterd.unpack.budget import Budget
from filterd.unpack.types import Data

# Opened by their classes: for a file that none of its readers takes, Image.open imports all that Pillow has.
FORMATS: Final[dict[str, type[ImageFile.ImageFile]]] = {
    "png": PngImageFile,
    "jpeg": JpegImageFile,
    "gif": GifImageFile,
    "bmp": BmpImageFile,
    "riff": WebPImageFile,
}
MAX_SIDE: Final = 1_000  # pixels to which larger pictures are brought: a code is read by people from a screen
MAX_DECODED: Final = 4_000_000  # pixels of one picture as its format can decode it
MAX_WHOLE: Final = 10_000_000  # pixels of one before it is brought down: cameras make more, codes need a hundredth
MIN_SIDE: Final = 40  # pixels; the smallest code a telephone reads takes twice that
MAX_FRAMES: Final = 3  # of an animation
MAX_CODES: Final = 20  # of one picture
MAX_CODE: Final = 3_000  # characters; the largest code holds 7,089 digits
_SMALL: Final = 300_000  # pixels up to which rare kinds of codes are looked for: those cost ten times as much
_DARK: Final = 80  # shades of grey below which a pixel is dark, and as far from white as it is light
_GREY: Final = 5  # a picture of black and white has no more grey than one in so many pixels
# Pillow and zxing raise whatever their C code thought fit; a picture that cannot be decoded shows nothing.
FAILURES: Final = (
    OSError,
    ValueError,
    TypeError,
    RuntimeError,
    SyntaxError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    MemoryError,
    EOFError,
    Warning,
    Image.DecompressionBombError,
)


def look(data: Data, kind: str, path: str, budget: Budget) -> None:
    """Find the codes of a picture of this type; they go to the budget. Never raises."""
    shape = FORMATS.get(kind)
    if shape is None or (kind == "riff" and bytes(data[8:12]) != b"WEBP"):
        return
    with warnings.catch_warnings():
        # What Pillow says about odd files is nobody's business but the log's, and there is none here.
        warnings.simplefilter("ignore")
        try:
            with shape(BytesIO(data)) as picture:
                codes_of(picture, path, budget)
        except FAILURES:
            return


def codes_of(picture: Image.Image, path: str, budget: Budget) -> None:
    """Find the codes of an open picture, of an animation in its first frames. May raise what Pillow does."""
    for number in range(MAX_FRAMES):
        if number:
            try:
                picture.seek(number)
            except EOFError:
                return
        if min(picture.size) < MIN_SIDE:
            return
        whole = picture.width * picture.height
        if number == 0:
            picture.draft("L", (MAX_SIDE, MAX_SIDE))
        size = picture.width * picture.height
        if whole > MAX_WHOLE or size > MAX_DECODED or size > budget.pixels or budget.pictures <= 0:
            budget.note(symbols.IMAGE_UNREAD, path)
            return
        budget.pixels -= size
        budget.pictures -= 1
        for shade in _shades(picture):
            found = _read(shade)
            budget.codes += [(text, path) for text in found]
            if found:
                break


def _shades(picture: Image.Image) -> Iterator[Image.Image]:
    """The picture in grey, at most so large; what is transparent upon white, then upon black."""
    picture.load()
    clear = picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
    reduction = max(1, -(-max(picture.size) // MAX_SIDE) if max(picture.size) > MAX_SIDE * 3 // 2 else 1)
    if not clear:
        grey = picture.convert("L")
        yield grey.reduce(reduction) if reduction > 1 else grey
        return
    colours = picture.convert("RGBA")
    for ground in ("white", "black"):
        flat = Image.new("RGBA", colours.size, ground)
        flat.alpha_composite(colours)
        grey = flat.convert("L")
        yield grey.reduce(reduction) if reduction > 1 else grey
        if any(grey.histogram()[:_DARK]):
            return  # dark ink: upon black there would be nothing to see


def _read(grey: Image.Image) -> list[str]:
    """The texts of the codes."""
    # Made anew each time: of objects that live in a module the library complains on stderr when the process ends.
    found = zxingcpp.read_barcodes(grey, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
    if not found and grey.width * grey.height <= _SMALL and _two_toned(grey):
        found = zxingcpp.read_barcodes(grey, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.AllMatrix))
    return [code.text[:MAX_CODE] for code in found[:MAX_CODES] if code.text]


def _two_toned(grey: Image.Image) -> bool:
    """True for what is nearly all black and white: logos and photographs are not looked at twice."""
    counts = grey.histogram()
    return sum(counts[_DARK : 256 - _DARK]) * _GREY <= grey.width * grey.height
