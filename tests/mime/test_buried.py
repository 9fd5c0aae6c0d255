"""Parts that nobody declared, other line ends, and texts that do not spell ASCII as ASCII."""

import pytest

from filterd.mime.buried import buried
from filterd.mime.charset import transcoded
from filterd.mime.header import split_block
from filterd.mime.limits import MAX_DEPTH
from filterd.mime.lineends import fingerprint, odd_ends, with_line_feeds
from tests.mime.hiding.kit import CONTENTS, FROM, TEXT, honest, joined, message, multipart
from tests.mime.test_hiding import look
from tests.mime.test_tree import MIXED, read, symbols

PART = honest(CONTENTS[0])


def paths(data: bytes, *, every: bool = False) -> list[tuple[str, str]]:
    """Path and first name of what stands in a text."""
    message = buried(data, "1", 0, every=every)
    return [(part.path, (*part.filenames, "")[0]) for part in message.parts] if message is not None else []


@pytest.mark.threat("MIME-03", "MIME-10")
def test_parts_in_a_text() -> None:
    """Without a multipart, as a message, and behind a delimiter."""
    assert paths(b"hello\r\n\r\n" + PART) == [("1.stray1", "notes.dat")]
    assert paths(joined(TEXT, PART, boundary=b"b")) == [("1.stray2", "notes.dat")]
    assert paths(multipart(TEXT, PART)) == [("1.message.2", "notes.dat")]
    assert paths(multipart(TEXT, PART), every=True) == [("1.message.1", ""), ("1.message.2", "notes.dat")]


def test_a_text_without_parts() -> None:
    """Nothing is made of it."""
    assert buried(b"hello\r\nContent with what I have\r\n", "1", 0) is None


def test_depth_is_bounded() -> None:
    """Where nothing more may be opened that is said."""
    found = buried(multipart(TEXT, PART), "1", MAX_DEPTH)
    assert found is not None
    assert [one.symbol for one in found.findings] == ["UNSCANNABLE_DEPTH"]


@pytest.mark.threat("MIME-07")
def test_delimiters_behind_bare_carriage_returns() -> None:
    """Both readings are there, and the message is ambiguous."""
    raw = MIXED + b"--b\r\n\r\none\r--b\rContent-Type: text/html\r\r<p>two\r\n--b--\r\n"
    assert "AMBIGUOUS_BOUNDARY" in symbols(raw)
    assert ("text/html", b"<p>two") in [(part.content_type, bytes(part.raw)) for part in read(raw).parts]


def test_line_ends() -> None:
    """One for each end, however many carriage returns stand before a line feed."""
    assert bytes(with_line_feeds(memoryview(b"a\rb\r\nc\r\r\nd\n\re\r\rf"))) == b"a\nb\nc\nd\ne\n\nf"
    assert not odd_ends(memoryview(b"a\r\nb\rc\n--d\r\n"))
    assert fingerprint(memoryview(b"a\r\nb\r\n")) == fingerprint(memoryview(b"a\nb"))
    assert fingerprint(memoryview(b"a\rb")) != fingerprint(memoryview(b"a\nb"))


@pytest.mark.threat("MIME-04")
def test_what_forgiving_readers_make_of_a_part_header() -> None:
    """A field without its colon, one behind a bare carriage return, and one with a NUL are added."""
    for line in (b"Content-Type text/html", b"X: y\rContent-Type:text/html", b"Content-Type:\0text/html"):
        block = split_block(memoryview(line + b"\r\n\r\n"), 0, 1_000, strict=False)
        assert (b"content-type", b"text/html") in [(name.lower(), value.strip()) for name, value in block.fields]
        assert block.garbage or block.loose or block.nul


@pytest.mark.threat("MIME-07")
def test_a_line_that_may_end_a_header() -> None:
    """Blanks before it count where they begin."""
    assert split_block(memoryview(b"A: b\r\nodd\r\n\r\n"), 0, 1_000, strict=False).odd == 6
    assert split_block(memoryview(b"A: b\r\n \r\nodd\r\n\r\n"), 0, 1_000, strict=False).odd == 6
    assert split_block(memoryview(b"A: b\r\n \r\nC: d\r\n\r\n"), 0, 1_000, strict=False).odd == -1


@pytest.mark.parametrize(
    ("codec", "charset"),
    [("utf-16", ""), ("utf-16-le", "utf-16le"), ("utf-16-be", ""), ("utf-32", "utf-32"), ("cp037", "cp037")],
)
@pytest.mark.threat("MIME-15")
def test_texts_in_wide_and_strange_charsets(codec: str, charset: str) -> None:
    """They come in UTF-8, as a client shows them."""
    assert transcoded("<script>eval()</script>".encode(codec), charset) == b"<script>eval()</script>"


@pytest.mark.threat("MIME-15")
def test_texts_that_shift() -> None:
    """UTF-7 and ISO-2022-JP spell a letter in more than one way."""
    assert transcoded(b"+ADw-script+AD4-", "utf-7") == b"<script>"
    assert transcoded(b"<scr\x1b(Bipt>", "iso-2022-jp") == b"<script>"


@pytest.mark.parametrize("charset", ["", "utf-8", "iso-8859-1", "koi8-r", "gb2312", "x-unknown", "utf-7"])
def test_clean_texts_are_scanned_as_they_are(charset: str) -> None:
    """No copy is made."""
    assert transcoded(b"hello there", charset) is None


@pytest.mark.threat("MIME-14")
def test_a_program_declared_as_text_is_no_text() -> None:
    """Under a disposition that nobody knows, and without any."""
    program = CONTENTS[2]
    for disposition in (b"", b"Content-Disposition: shown\r\n"):
        head = disposition + b"Content-Transfer-Encoding: base64\r\n"
        raw = message(b"text/plain", honest(program).partition(b"\r\n\r\n")[2], head)
        assert "ATTACH_EXECUTABLE" in {found.symbol for found in look(raw).findings}


def test_an_attached_message_with_a_file_is_not_doubtful() -> None:
    """What its header declares is declared, whatever the type of the file it came in."""
    inner = multipart(TEXT, honest(CONTENTS[1]), boundary=b"in")
    raw = multipart(TEXT, b'Content-Type: application/octet-stream; name="x.eml"\r\n\r\n' + inner)
    assert {one.symbol for one in look(raw).findings if one.symbol.startswith("AMBIGUOUS")} == set()
    assert FROM in raw
