"""The whole way of a message: a nursery with the shipped rules, an inspector behind its walls, facts in the front."""

import base64
import encodings.aliases
import io
import os
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.inspection.inspect import inspect
from filterd.inspectors import InspectorDied, InspectorTimeout, NurserySettings
from filterd.mime.header import split
from filterd.model.inspection import Inspection, InspectionJob
from tests.inspectors.conftest import WITHIN, Bed, bed
from tests.support.process import open_folder

pytestmark = pytest.mark.integration
ROOT = Path(__file__).resolve().parents[2]
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"
RSS_BOUND = 200_000_000  # bytes of one inspector, whatever it reads
LOADED_BOUND = 80_000_000  # bytes of its share of memory after loading
# No end on what begins with "SLOW", nothing to do elsewhere.
SLOW_RULE = """rule slow {
    condition:
        uint32(0) == 0x574F4C53 and for any i in (1..filesize) : (for any j in (1..filesize) : (i * j < 0))
}"""


@pytest.fixture(scope="module")
def shipped() -> Iterator[Bed]:
    """A nursery with all that is shipped."""
    with open_folder() as folder:
        rules = ROOT / "rules"
        settings = NurserySettings(
            rules=str(rules / "yara"), cache=str(folder / "cache"), phrases=str(rules / "phrases.toml")
        )
        with bed(settings, 2) as made:
            yield made


def ask(bed: Bed, raw: bytes, seconds: float = 30) -> Inspection:
    """Have a whole message read."""
    fields, start = split(raw)
    fd = os.memfd_create("body")
    try:
        os.write(fd, memoryview(raw)[start:])
        job = InspectionJob("id", fields, len(raw) - start, seconds, time.time(), "192.0.2.1", "a@example.org")
        return bed.pool.inspect(job, fd, time.monotonic() + seconds + WITHIN)
    finally:
        os.close(fd)


def attached(name: str, content: bytes, kind: str = "application/octet-stream") -> bytes:
    """A message with a text and one attachment."""
    return (
        b"From: Alice <alice@example.org>\r\nTo: b@example.net\r\nSubject: Report\r\nMessage-ID: <1@example.org>\r\n"
        b"Date: Thu, 01 Jan 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\nSee http://www.example.org/report\r\n--b\r\n"
        + f"Content-Type: {kind}; name={name}\r\n".encode()
        + b"Content-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(content).replace(b"\n", b"\r\n")
        + b"--b--\r\n"
    )


def zipped(**members: bytes) -> bytes:
    """An archive of these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def symbols(facts: Inspection) -> set[str]:
    """Everything found, rules included."""
    return {found.symbol for found in facts.findings} | {hit.symbol for hit in facts.hits}


def memory(pid: int, key: str) -> int:
    """Bytes of a process's memory by that key of the kernel's."""
    lines = Path(f"/proc/{pid}/{'smaps_rollup' if key == 'Pss' else 'status'}").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


def pids(bed: Bed) -> list[int]:
    """The idle inspectors of this pool."""
    return [inspector.pid for inspector in bed.pool._idle]


def test_a_message_with_eicar_in_a_zip(shipped: Bed) -> None:
    """Author, URL, both parts, the member inside of the archive with its hash, the rule that hit it."""
    facts = ask(shipped, attached("x.zip", zipped(eicar_com=EICAR), "application/zip"))
    assert facts.author.mailboxes[0].domain == "example.org"
    assert (facts.subject, facts.urls, facts.hosts) == (
        "Report",
        ("http://www.example.org/report",),
        ("www.example.org",),
    )
    assert [(part.path, part.detected_type, part.size) for part in facts.parts] == [
        ("1", "text", 33),
        ("2", "zip", facts.parts[1].size),
        ("2/eicar_com", "text", 68),
    ]
    assert facts.parts[2].sha256 == "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"
    assert [(hit.symbol, hit.part, hit.meta["action"]) for hit in facts.hits] == [
        ("YARA_EICAR", "2/eicar_com", "reject")
    ]
    assert (facts.problems, facts.rule_set) == ((), shipped.pool.rule_set)


def test_everything_works_behind_the_walls(shipped: Bed, shared: Path) -> None:
    """Real and malformed mail of many charsets: nothing in an inspector wants a file, a module or a codec too late."""
    paths = sorted((shared / "data" / "mime").rglob("*.eml"))
    assert len(paths) > 100
    problems = {path.name: found for path in paths if (found := ask(shipped, path.read_bytes()).problems)}
    assert problems == {}


@pytest.mark.threat("MIME-15")
def test_every_charset_works_behind_the_walls(shipped: Bed) -> None:
    """Codecs are modules, and none can be loaded any more: an inspector reads what this process reads."""
    parts = []
    for name in sorted(set(encodings.aliases.aliases.values())):
        try:
            text = f"http://{name.replace('_', '-')}.test/".encode(name)
        except (LookupError, UnicodeError, ValueError):
            continue  # no charset of texts
        head = f"--b\r\nContent-Type: text/plain; charset={name}\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        parts.append(head.encode() + base64.encodebytes(text))
    raw = b"From: a@b.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + b"".join(parts) + b"--b--\r\n"
    fields, start = split(raw)
    here = inspect(InspectionJob("id", fields, len(raw) - start, 30, 0.0), memoryview(raw)[start:], None)
    assert len(here.hosts) > 70
    there = ask(shipped, raw)
    assert (there.hosts, there.problems) == (here.hosts, ())


@pytest.mark.skipif(os.geteuid() != 0, reason="an inspector lets nobody but root look at its memory")
def test_the_memory_of_an_inspector_after_loading(shipped: Bed) -> None:
    """Its share of what it has in common with the others, and its own."""
    ask(shipped, attached("x.zip", zipped(a=b"x")))
    assert max(memory(pid, "Pss") for pid in pids(shipped)) <= LOADED_BOUND


def bombs() -> dict[str, bytes]:
    """Messages that want to be large."""
    zeros = bytes(100_000_000)
    inner = zipped(**{f"z{number}": zeros for number in range(3)})
    return {
        "zip of 300 MB": attached("bomb.zip", inner, "application/zip"),
        "zip of 8 GB": attached("bomb.zip", zipped(**{f"i{n}.zip": inner for n in range(27)}), "application/zip"),
        "many members": attached(
            "many.zip", zipped(**{f"m{n}": b"x" * 20_000 for n in range(2_000)}), "application/zip"
        ),
        "text": b"From: a@b.test\r\n\r\n" + b"line of text\r\n" * 1_500_000,
        "html": b"From: a@b.test\r\nContent-Type: text/html\r\n\r\n" + b"<a href=x>y" * 90_000,
        "doubtful base64": attached("x.bin", b"").replace(b"--b--", b"QUJD-_=\r\n" * 1_000_000 + b"--b--"),
        "parts": b"From: a@b.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 200_000,
        "urls": b"From: a@b.test\r\n\r\n"
        + b"".join(b"http://h%d.test/%s\r\n" % (n, b"x" * 900) for n in range(12_000)),
    }


@pytest.mark.threat("ZIP-01")
@pytest.mark.threat("MIME-12")
def test_no_message_makes_an_inspector_large() -> None:
    """Archives that unpack to gigabytes, a million lines, tags, parts and URLs: facts, within the bound of memory."""
    with (
        open_folder() as folder,
        bed(NurserySettings(rules=str(ROOT / "rules" / "yara"), cache=str(folder / "c"))) as made,
    ):
        peaks = {}
        for name, raw in bombs().items():
            facts = ask(made, raw)
            assert not any("crash" in problem.lower() for problem in facts.problems)
            peaks[name] = memory(pids(made)[0], "VmHWM")
        assert {name: peak for name, peak in peaks.items() if peak > RSS_BOUND} == {}


@pytest.mark.threat("ZIP-01")
def test_a_bomb_is_said(shipped: Bed) -> None:
    """Stopped at a limit, which is a finding."""
    assert "UNSCANNABLE_BOMB" in symbols(ask(shipped, bombs()["zip of 8 GB"]))


@pytest.mark.threat("RES-10")
def test_a_rule_that_is_slow_on_real_mail_takes_only_its_share() -> None:
    """The others' hits and all other facts are there, and the message is unscannable."""
    with open_folder() as folder:
        rules = folder / "rules"
        rules.mkdir()
        (rules / "slow.yar").write_text(SLOW_RULE)
        (rules / "eicar.yar").write_text((ROOT / "rules" / "yara" / "eicar.yar").read_text())
        with bed(NurserySettings(rules=str(rules))) as made:
            content = b"SLOW" + bytes(3_000_000)
            raw = attached("slow.bin", content).replace(b"--b--", b"--b\r\n\r\n" + EICAR + b"\r\n--b--")
            facts = ask(made, raw, seconds=12)
            assert {"YARA_EICAR", "UNSCANNABLE_YARA"} <= symbols(facts)
            assert facts.problems == ("yara: 2: too slow: slow",)
            assert made.pool.stats()["timeout"] == 0


def test_an_inspector_that_dies_on_mail_costs_that_message_alone(shipped: Bed) -> None:
    """Too little time for a real message: it fails as a timeout, the next one is read."""
    with pytest.raises((InspectorTimeout, InspectorDied)):
        ask(shipped, b"From: a@b.test\r\n\r\n" + b"line of text http://x.test/\r\n" * 800_000, seconds=0.02)
    assert "YARA_EICAR" in symbols(ask(shipped, attached("eicar.com", EICAR)))
