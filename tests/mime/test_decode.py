"""Transfer encodings under several readings."""

import base64

import pytest

from filterd.mime.decode import base64_readings, quoted_readings

TEXT = b"The payload that somebody wants to hide, long enough for two lines of base64 to be there."


def encoded(width: int = 76) -> bytes:
    """TEXT in base64, in lines of that width."""
    plain = base64.b64encode(TEXT)
    return b"".join([plain[start : start + width] + b"\r\n" for start in range(0, len(plain), width)])


def test_clean_base64_has_one_reading() -> None:
    """Nothing else is tried where nothing is odd."""
    assert base64_readings(memoryview(encoded())) == [TEXT]


def test_base64_with_bare_line_feeds() -> None:
    """Bare LF gives the same bytes."""
    assert TEXT in base64_readings(memoryview(encoded().replace(b"\r\n", b"\n")))


@pytest.mark.parametrize(
    "data",
    [
        encoded().replace(b"\r\n", b"!?\r\n"),
        encoded(1),
        encoded(3),
        encoded(5),
        encoded().rstrip(b"\r\n="),
        b"\x00" + encoded() + b"\xff--",
        encoded() + b"trailing junk that is no base64 at all %%%",
        base64.urlsafe_b64encode(TEXT),
    ],
    ids=["junk", "width1", "width3", "width5", "unpadded", "control", "trailing", "urlsafe"],
)
@pytest.mark.threat("MIME-05")
def test_odd_base64_is_decoded(data: bytes) -> None:
    """The content is in one of the readings, whatever was mixed in."""
    assert any(TEXT in bytes(reading) for reading in base64_readings(memoryview(data)))


@pytest.mark.threat("MIME-05")
def test_streams_behind_padding_are_decoded() -> None:
    """What stands behind padding is read on."""
    data = base64.b64encode(b"A") + b"\r\n" + base64.b64encode(TEXT) + b"\r\n"
    assert any(TEXT in bytes(reading) for reading in base64_readings(memoryview(data)))


@pytest.mark.threat("MIME-05")
def test_padding_in_mid_stream_is_skipped() -> None:
    """Padding put between groups does not end the content."""
    plain = base64.b64encode(TEXT)
    data = plain[:8] + b"====" + plain[8:]
    assert any(TEXT in bytes(reading) for reading in base64_readings(memoryview(data)))


def test_junk_that_makes_up_for_missing_line_ends_is_seen() -> None:
    """Odd bytes in the number of the missing line ends do not pass as clean."""
    data = encoded().replace(b"\r\n", b"!!")
    assert TEXT in [bytes(reading) for reading in base64_readings(memoryview(data))]


@pytest.mark.parametrize(
    ("data", "reading"),
    [
        pytest.param(b"b25l\r\n5l\r\n5l", b"one\xe6\xe6", id="short-lines-of-whole-groups"),
        pytest.param(b"44 x\nAg", b"\xe3\x8c\x02", id="junk-that-fills-a-group"),
        pytest.param(b"Qw==T05U", b"C\x04\xf4\xe5", id="padding-as-junk"),
    ],
)
@pytest.mark.threat("MIME-05")
def test_decoders_that_differ(data: bytes, reading: bytes) -> None:
    """Line by line, and with padding as junk, the same bytes are others."""
    assert reading in [bytes(item) for item in base64_readings(memoryview(data))]


@pytest.mark.parametrize("data", [b"", b"=", b"A", b"!", b"====", b"A===" * 3_000])
def test_base64_of_nothing(data: bytes) -> None:
    """Nothing raises."""
    assert isinstance(base64_readings(memoryview(data)), list)


def test_clean_quoted_printable() -> None:
    """One reading, soft breaks gone."""
    assert quoted_readings(memoryview(b"a=3Db=\r\nc\r\n")) == [b"a=bc\r\n"]


@pytest.mark.threat("MIME-06")
def test_quoted_printable_soft_break_with_blanks() -> None:
    """Blanks behind the = of a soft break are transport's; both readings are there."""
    assert b"eval(" in [bytes(item) for item in quoted_readings(memoryview(b"ev= \t\r\nal("))]


@pytest.mark.parametrize("data", [b"=3d", b"=", b"=X", b"=\r", b"=00", b"a=\rb\nc", b"=" * 100])
@pytest.mark.threat("MIME-06")
def test_odd_quoted_printable(data: bytes) -> None:
    """Broken escapes give bytes, not errors."""
    assert all(isinstance(item, bytes) for item in quoted_readings(memoryview(data)))
