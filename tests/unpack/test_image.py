"""Codes in pictures: found in every format, within limits, and nothing hostile raises."""

import io
import struct
import zlib
from typing import Final

import pytest
from PIL import Image

from filterd.unpack import Budget, unpack
from filterd.unpack import image as module
from tests.support.pictures import LINK, code, saved

SHAPES: Final = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
DRAWN: Final = code()


def run(data: bytes, budget: Budget | None = None) -> Budget:
    """The budget with what was found."""
    used = budget or Budget()
    assert list(unpack(data, "1", "a.png", 0, used)) == []
    return used


def symbols(budget: Budget) -> list[str]:
    """The symbols of the findings."""
    return [found.symbol for found in budget.findings]


@pytest.mark.parametrize("shape", SHAPES)
def test_codes_are_read(shape: str) -> None:
    """In every format, and nothing else is said."""
    budget = run(saved(DRAWN, shape))
    assert budget.codes == [(LINK, "1")]
    assert budget.findings == []


@pytest.mark.parametrize("kind", ["Aztec", "DataMatrix", "PDF417", "MicroQRCode", "RMQRCode"])
def test_other_codes_are_read(kind: str) -> None:
    """All that a telephone's camera may follow."""
    text = "http://a.b" if kind == "MicroQRCode" else LINK
    assert [found for found, _ in run(saved(code(text, kind=kind))).codes] == [text]


@pytest.mark.parametrize("ink", [(0, 0, 0, 255), (255, 255, 255, 255)], ids=["black", "white"])
def test_codes_upon_nothing(ink: tuple[int, int, int, int]) -> None:
    """What is transparent is shown upon a page that may be white or black."""
    clear = Image.new("RGBA", DRAWN.size, (0, 0, 0, 0))
    clear.paste(ink, mask=DRAWN.point(lambda shade: 255 - shade))
    assert run(saved(clear)).codes == [(LINK, "1")]


def test_codes_turned_round() -> None:
    """Light upon dark, and standing on its side."""
    assert run(saved(DRAWN.point(lambda shade: 255 - shade))).codes == [(LINK, "1")]
    assert run(saved(DRAWN.rotate(30, expand=True, fillcolor=255))).codes == [(LINK, "1")]


def test_a_code_behind_the_first_frame() -> None:
    """An animation shows its code a moment later."""
    blank = Image.new("L", DRAWN.size, 255)
    assert (LINK, "1") in run(saved(blank, "GIF", save_all=True, append_images=[DRAWN])).codes


def test_a_code_in_a_large_picture() -> None:
    """A picture of a whole page is brought down before it is looked at."""
    page = Image.new("L", (2_400, 3_200), 255)
    page.paste(DRAWN.resize((700, 700)), (800, 1_500))
    assert run(saved(page, "JPEG")).codes == [(LINK, "1")]


@pytest.mark.parametrize("size", [(5_000, 3_000), (3_000, 1_500)])
def test_what_is_too_large_is_said(size: tuple[int, int]) -> None:
    """By the size that the header gives, before anything is decoded."""
    budget = run(saved(Image.new("L", size), "JPEG" if size[0] == 5_000 else "PNG"))
    assert symbols(budget) == ["IMAGE_UNREAD"]


@pytest.mark.threat("ZIP-01")
def test_a_bomb_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A header of four thousand million pixels with nothing behind it."""
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("decoded"))
    head = b"IHDR" + struct.pack(">LLBBBBB", 65_000, 65_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">L", 13) + head + struct.pack(">L", zlib.crc32(head))
    body = b"IDAT" + zlib.compress(bytes(100))
    data += struct.pack(">L", len(body) - 4) + body + struct.pack(">L", zlib.crc32(body))
    assert symbols(run(data)) in (["IMAGE_UNREAD"], [])


def test_the_message_has_one_budget() -> None:
    """Pictures and pixels are counted over all of it; tiny ones are not."""
    budget = Budget(pictures=2)
    for _ in range(2):
        run(saved(Image.new("L", (20, 20))), budget)
        run(saved(DRAWN), budget)
    assert (symbols(budget), len(budget.codes)) == ([], 2)
    assert symbols(run(saved(DRAWN), budget)) == ["IMAGE_UNREAD"]
    assert symbols(run(saved(DRAWN), Budget(pixels=1_000))) == ["IMAGE_UNREAD"]


@pytest.mark.parametrize("shape", SHAPES)
def test_damage_is_no_finding(shape: str) -> None:
    """A picture cut short, and one with holes."""
    data = saved(DRAWN, shape)
    for size in range(0, len(data), max(1, len(data) // 40)):
        assert symbols(run(data[:size])) == []
        assert symbols(run(data[:size] + bytes(20) + data[size + 20 :])) in ([], ["IMAGE_UNREAD"])


def test_sounds_in_riff_are_no_pictures() -> None:
    """The container is shared with WAV and AVI."""
    budget = Budget()
    module.look(b"RIFF\x24\0\0\0WAVEfmt ", "riff", "1", budget)
    assert budget == Budget()
    assert io.BytesIO(saved(DRAWN, "WEBP")).read(12)[8:] == b"WEBP"
