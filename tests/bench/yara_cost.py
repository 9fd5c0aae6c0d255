"""What inspecting a large attachment costs beside its bare scan by YARA: `python -m tests.bench.yara_cost ARCHIVE`.

A message with an attachment of 1 MB, and 500 rules of an archive of rule files, several times: what rules cost differs.
CPU of the inspection of the whole message, and of one scan of the decoded megabyte with the same rules, in turns.
"""

import argparse
import base64
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Final

import yara

from filterd.inspection.inspect import inspect
from filterd.mime.header import split
from filterd.model.inspection import InspectionJob
from filterd.yarascan.engine import Engine
from filterd.yarascan.load import load_rules
from tests.support.unpacked import unpacked

RULES: Final = 500
SIZE: Final = 1_000_000  # bytes of the attachment
SEEDS: Final = (1, 2, 3, 4, 5)  # of the choice of rules
TURNS: Final = 15
ASKED: Final = 2.0  # times the bare scan


def some_rules(files: Path, chosen: Path, seed: int) -> int:
    """Copy files at random until there are enough rules; how many those are."""
    chosen.mkdir()
    paths = sorted(files.rglob("*.yar"))
    random.Random(seed).shuffle(paths)
    count = 0
    for path in paths:
        if count >= RULES:
            break
        shutil.copy(path, chosen)
        count += sum(1 for _ in load_rules_of(path))
    return count


def load_rules_of(path: Path) -> yara.Rules:
    """One file's rules."""
    externals: dict[str, str | int] = dict.fromkeys(("filename", "filepath", "extension", "filetype", "owner"), "")
    return yara.compile(str(path), externals=externals)


def contents() -> dict[str, bytes]:
    """Attachments of several kinds, of the same size."""
    rnd = random.Random(1)
    words = [bytes(rnd.choices(b"abcdefghijklmnopqrstuvwxyz", k=rnd.randint(2, 9))) for _ in range(5_000)]
    text = b" ".join(rnd.choices(words, k=SIZE // 6))[:SIZE]
    return {
        "packed data": rnd.randbytes(SIZE),
        "program": b"MZ" + (bytes(60) + rnd.randbytes(100)) * (SIZE // 160),
        "text": text,
    }


def message(content: bytes) -> bytes:
    """A letter with an attachment."""
    encoded = base64.encodebytes(content).replace(b"\n", b"\r\n")
    return (
        b"From: Alice <alice@example.org>\r\nTo: b@example.net\r\nSubject: Report\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSee the report.\r\n"
        b"--b\r\nContent-Type: application/octet-stream; name=a.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + encoded
        + b"--b--\r\n"
    )


def spent(work: Callable[[], object]) -> float:
    """Milliseconds of CPU."""
    begin = time.process_time()
    work()
    return (time.process_time() - begin) * 1000


def main() -> int:
    """Measure and tell; 1 where inspections take more than is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path, help="of rule files")
    chosen = parser.parse_args()
    shares = []
    with tempfile.TemporaryDirectory(prefix="filterd-yara-") as made:
        folder = Path(made)
        unpacked(chosen.archive, folder / "all")
        sys.stdout.write(f"attachment of {SIZE} bytes, {TURNS} turns, ms of CPU\n")
        for seed in SEEDS:
            count = some_rules(folder / "all", folder / str(seed), seed)
            engine = Engine(load_rules(folder / str(seed)))
            for name, content in contents().items():
                whole, bare = measured(content, engine)
                shares.append(whole / bare)
                row = f"{count} rules, {name:12} inspection {whole:5.1f}  bare scan {bare:5.1f}  {whole / bare:5.2f} x"
                sys.stdout.write(f"{row}\n")
    share = median(shares)
    sys.stdout.write(f"median {share:.2f} x, {min(shares):.2f} to {max(shares):.2f}; asked for {ASKED} x\n")
    return int(share > ASKED)


def measured(content: bytes, engine: Engine) -> tuple[float, float]:
    """CPU of the inspection and of the bare scan, in turns: the least of each, for others use the same cores."""
    fields, start = split(raw := message(content))
    body = memoryview(raw)[start:]
    job = InspectionJob("id", fields, len(body), 60, time.time())
    externals: dict[str, str | int] = {"filename": "a.bin", "filepath": "2", "extension": "bin", "filetype": "data"}
    whole: list[float] = []
    bare: list[float] = []
    inspect(job, body, engine)
    for _ in range(TURNS):
        whole.append(spent(lambda: inspect(job, body, engine)))
        bare.append(spent(lambda: engine.scan(content, externals, 60)))
    return min(whole), min(bare)


if __name__ == "__main__":
    sys.exit(main())
