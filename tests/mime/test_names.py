"""File names a client may show."""

from pathlib import Path

import pytest

from filterd.mime.entity import read_entity
from filterd.mime.header import split
from filterd.mime.tree import parse


def names(disposition: str, kind: str = "application/octet-stream") -> tuple[str, ...]:
    """Candidate names of a part with these fields."""
    index = {b"content-disposition": (disposition.encode(),), b"content-type": (kind.encode(),)}
    return read_entity(index, "text/plain").filenames


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("attachment; filename=a.exe", "a.exe"),
        ('attachment; filename="a.exe"', "a.exe"),
        ('attachment; filename*0="a." ; filename*1="exe"', "a.exe"),
        ("attachment; filename*=utf-8''a%2eexe", "a.exe"),
        ('attachment; filename="=?utf-8?q?a=2Eexe?="', "a.exe"),
        ('attachment; filename="a.exe "', "a.exe"),
        ("attachment; filename=a.exe.", "a.exe"),
        ('attachment; filename="C:\\x\\a.exe"', "a.exe"),
        ('attachment; filename="../../a.exe"', "a.exe"),
        ("attachment; filename=a;.exe", "a;.exe"),
        ("attachment; filename='a.exe'", "a.exe"),
        ('attachment; filename="a".exe', "a.exe"),
        ("attachment; filename=a.e()xe", "a.exe"),
        ("attachment; filename*1=exe; filename*0=a.", "a.exe"),
        ("attachment; FILENAME = a.exe", "a.exe"),
        ("filename=a.exe", "a.exe"),
        ("filename=a.exe; size=5", "a.exe"),
        ("=; filename=a.exe", "a.exe"),
        ('";x=";filename=a.exe', "a.exe"),
        ('attachment; filename*0="a.e"; filename*1="x\\e"', "a.exe"),
        ('attachment; filename="a.exe.\x01"', "a.exe"),
        ('attachment; filename="\x01 a.exe"', "a.exe"),
        ("attachment; filename='a.exe.'", "a.exe"),
        ("attachment; filename\r=\ra.exe", "a.exe"),
        ("attachment; filename*00000000000=a.; filename*00000000001=exe", "a.exe"),
    ],
)
@pytest.mark.threat("MIME-13")
def test_spellings(value: str, name: str) -> None:
    """However a name is written, the one a client shows is among the candidates."""
    assert name in names(value)


@pytest.mark.threat("MIME-13")
def test_text_before_a_nul_is_a_candidate() -> None:
    """a.txt NUL .exe is shown as a.txt by some, and saved as .exe by others."""
    found = names("attachment; filename*=utf-8''a.txt%00.exe")
    assert any(name.endswith(".exe") for name in found)
    assert "a.txt" in found


@pytest.mark.threat("MIME-13")
def test_turned_name_is_kept() -> None:
    """A name with a right-to-left override is there as it is and without the control."""
    found = names("attachment; filename*=utf-8''a%E2%80%AEfdp.exe")
    assert "a\u202efdp.exe" in found
    assert "afdp.exe" in found


@pytest.mark.threat("MIME-13")
def test_conflicting_names_are_ambiguous() -> None:
    """Different endings in different parameters are a finding."""
    index = {b"content-disposition": (b"attachment; filename=a.png",), b"content-type": (b"a/b; name=a.exe",)}
    entity = read_entity(index, "text/plain")
    assert [found.symbol for found in entity.findings] == ["AMBIGUOUS_NAME"]
    assert set(entity.filenames) == {"a.png", "a.exe"}


@pytest.mark.parametrize(
    ("field", "values", "symbol"),
    [
        pytest.param(
            "content-disposition", ("a; " + "x=y; " * 100 + "filename=a.exe",), "UNSCANNABLE_HEADER", id="many"
        ),
        pytest.param("content-disposition", ("a; filename*0=a; filename*0=b",), "AMBIGUOUS_NAME", id="section-twice"),
        pytest.param("content-disposition", ("a; filename*=a; filename*=b",), "AMBIGUOUS_NAME", id="whole-twice"),
        pytest.param("content-disposition", ("a",) * 4 + ("a; filename=b",), "AMBIGUOUS_HEADER", id="five-fields"),
        pytest.param("content-type", ("text/plain",) * 4 + ("a/b; name=x",), "AMBIGUOUS_HEADER", id="five-types"),
        pytest.param("content-transfer-encoding", ("7bit",) * 4 + ("base64",), "AMBIGUOUS_HEADER", id="five-encodings"),
    ],
)
@pytest.mark.threat("MIME-13")
def test_what_is_not_read_is_said(field: str, values: tuple[str, ...], symbol: str) -> None:
    """Parameters and fields beyond what is looked at, and sections in no order, never vanish in silence."""
    entity = read_entity({field.encode(): tuple([value.encode() for value in values])}, "text/plain")
    assert symbol in {found.symbol for found in entity.findings}


@pytest.mark.parametrize("value", ["text", "x", "name=a.txt", "/ x", ""])
@pytest.mark.threat("MIME-03")
def test_what_is_no_type_is_the_default(value: str) -> None:
    """RFC 2045, section 5.2: a client shows the part as text, so it is read as text."""
    assert read_entity({b"content-type": (value.encode(),)}, "text/plain").types == ("text/plain",)


@pytest.mark.parametrize(
    "value", ["a/b; name=" + '"' * 60_000, "a/b" + ";" * 60_000, "a/b; " + "a*0=x;" * 8_000, "(" * 60_000, "a/b;x=\\"]
)
@pytest.mark.threat("MIME-20")
def test_hostile_parameters(value: str) -> None:
    """Absurd fields give some answer."""
    assert isinstance(names("attachment", value), tuple)


@pytest.mark.threat("MIME-01")
def test_no_hidden_name_passes_in_silence(shared: Path) -> None:
    """Of 176 messages that hide a file's name, every one shows it among the candidates or is ambiguous.

    Two of them carry an honestly named picture: there the name itself is what must be seen.
    """
    folder = shared / "data" / "mime" / "hide-filename" / "cur"
    silent = []
    for path in sorted(folder.iterdir()):
        raw = path.read_bytes()
        fields, start = split(raw)
        message = parse(fields, memoryview(raw)[start:])
        found = " ".join([name for part in message.parts for name in part.filenames]).lower()
        honest = raw.split(b"\r\n")[0].split(b"\n")[0]
        wanted = ".png" if b"fname-cdisp.png" in honest or b"fname-ctype.png" in honest else ".zip"
        ambiguous = any(item.symbol.startswith("AMBIGUOUS") for item in message.findings)
        if wanted not in found and not ambiguous:
            silent.append(path.name)
    assert silent == []
