"""Files written into texts, and Macintosh files."""

import base64
import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.mime.embedded import Embedded, base64_run, embedded
from filterd.mime.limits import MAX_EMBEDDED
from filterd.mime.macintosh import data_fork
from tests.mime.hiding.encodings import apple_single, binhex, macbinary, uuencode, yenc
from tests.mime.hiding.kit import EICAR, Attachment, b64

ROOM = 100_000
CONTENT = bytes(range(256)) * 3
ITEM = Attachment("a.exe", CONTENT)


def found(text: bytes, allowance: int = ROOM) -> list[tuple[str, bytes, str]]:
    """Name, content and what is missing of each file."""
    return [(one.name, one.content, one.missing) for one in embedded(text, allowance)]


@given(st.binary(min_size=1, max_size=600), st.sampled_from([b"", b"hello\r\n", b"x\n\n"]))
@pytest.mark.threat("MIME-08")
def test_yenc_and_binhex_come_back(content: bytes, before: bytes) -> None:
    """Name and content, wherever in a text they stand."""
    item = Attachment("a b.exe", content)
    for text in (yenc(item), yenc(item, parts=True), binhex(item)):
        assert found(before + text) == [("a b.exe", content, "")]


@pytest.mark.parametrize(
    ("text", "name", "content"),
    [
        pytest.param(uuencode(ITEM), "a.exe", CONTENT, id="uuencode"),
        pytest.param(b"x\r\nbegin-base64 644 a.exe\r\n" + b64(CONTENT) + b"====\r\n", "a.exe", CONTENT, id="uu-m"),
        pytest.param(b"hello\r\n\r\n" + b64(CONTENT) + b"\r\nbye", "", CONTENT, id="bare"),
        pytest.param(b64(CONTENT, 40).replace(b"\r\n", b"\n"), "", CONTENT, id="short-lines"),
        pytest.param(
            b"".join([b"> " + line for line in b64(CONTENT).splitlines(keepends=True)]), "", CONTENT, id="quoted"
        ),
        pytest.param(b"=ybegin x\n=yend\n" + uuencode(ITEM), "a.exe", CONTENT, id="behind-nothing"),
    ],
)
@pytest.mark.threat("MIME-08")
def test_files_in_texts(text: bytes, name: str, content: bytes) -> None:
    """However a file is written into a text, it is found."""
    assert (name, content, "") in found(text)


@pytest.mark.parametrize(
    "text",
    [
        b"-" * 76 + b"\r\n" + b"_" * 76,
        b"begin 644 then stop\r\n",
        b"commit\n" + b"0123456789" * 4 + b"\nAuthor: x",
        b" drivers/net/ethernet/intel/a_name_of_a_folder/file.c | 2 +-\n",
        b"(This file must be converted with BinHex 4.0)\r\n\r\nbut there is none\r\n",
    ],
    ids=["rules", "sentence", "digest", "diffstat", "announced"],
)
def test_what_is_no_file(text: bytes) -> None:
    """Lines of signs, sentences, digests and paths are text."""
    assert found(text) == []


@pytest.mark.threat("MIME-08")
def test_a_file_inside_of_another_is_found() -> None:
    """A client that knows uuencode alone does not care for the mark of a yEnc file around it."""
    assert ("a.exe", CONTENT, "") in found(b"=ybegin line=128 size=1 name=x\n" + uuencode(ITEM) + b"=yend size=1\n")


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        (yenc(ITEM).replace(b"=yend", b"-yend"), "a file without its end"),
        (yenc(ITEM, parts=True).replace(b"part=1", b"part=1 total=3"), "a part of a file"),
        (binhex(ITEM)[:700], "cut short"),
    ],
)
@pytest.mark.threat("MIME-08", "MIME-11")
def test_pieces_are_said(text: bytes, missing: str) -> None:
    """What is not whole cannot have been looked at whole."""
    assert [one.missing for one in embedded(text, ROOM)] == [missing]


def test_more_files_than_are_read_are_said() -> None:
    """The last is what says so."""
    text = (b"\nbegin 644 x\n#86)C\n`\nend\n") * (MAX_EMBEDDED + 5)
    files = found(text)
    assert len(files) == MAX_EMBEDDED + 1
    assert files[-1][:2] == ("", b"")
    assert files[-1][2] != ""


@pytest.mark.threat("ZIP-01")
def test_runs_of_binhex_do_not_grow_beyond_the_allowance() -> None:
    """Two bytes may stand for 255: what is beyond is cut off and said."""
    stream = b"\1a\0BINAhDmp\0\0" + (255_000).to_bytes(4, "big") + bytes(6) + b"\0\x90\xff" * 1_000
    files = list(embedded(binhex(ITEM, stream), 1_000))
    assert files == [Embedded("a", bytes(1_000), "cut short")]


def test_runs_of_binhex() -> None:
    """A byte and a count; the mark itself; the mark as a count."""
    head = b"\1a\0BINAhDmp\0\0" + (3 + 1 + 144).to_bytes(4, "big") + bytes(6)
    stream = head + b"A\x90\x03" + b"\x90\0" + b"B\x90\x90"
    assert found(binhex(ITEM, stream)) == [("a", b"AAA\x90" + b"B" * 144, "")]


@pytest.mark.parametrize("data", [apple_single(ITEM), apple_single(ITEM, gap=300), macbinary(ITEM)])
@pytest.mark.threat("MIME-08")
def test_data_forks(data: bytes) -> None:
    """AppleSingle and MacBinary are the file they hold."""
    assert data_fork(data) == ("a.exe", CONTENT)


@pytest.mark.parametrize("data", [b"", b"\0", bytes(200), b"MZ" + bytes(200), b"\0\5\x16\0" + b"\xff" * 400])
def test_what_is_no_macintosh_file(data: bytes) -> None:
    """Nothing, or nothing of it, comes of other bytes."""
    assert data_fork(data) in (None, ("", b""))


def test_text_before_base64_is_left_out() -> None:
    """Only where there is text before it."""
    assert base64_run(b"Here it is:\r\n" + b64(CONTENT)) == CONTENT
    assert base64_run(b64(CONTENT)) == b""
    assert base64_run(b"nothing") == b""


@given(
    st.binary(max_size=300), st.sampled_from([b"", b"=ybegin x\n", b"\n(This file must be converted with BinHex\n:"])
)
def test_any_bytes(data: bytes, before: bytes) -> None:
    """Never an exception."""
    for one in embedded(before + data, 10):
        assert one.content or one.missing
    data_fork(b"\0" + data)
    assert binascii.crc32(EICAR) == binascii.crc32(base64.b64decode(b64(EICAR)))
