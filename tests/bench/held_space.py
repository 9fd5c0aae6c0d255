"""What [quarantine] compress = "zstd" saves of public mail, and its cost: python -m tests.bench.held_space [COUNT].

Public mail is held by a front with everything live, so that its evidence is what it is in earnest; then message and
evidence are held again, one after the other, without and with it, without fsync: what is compared is processor time and
space on disk, holes not counted. FILTERD_SHARED must have the mail.
"""

import random
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filterd.model.custody import Evidence
from filterd.quarantine import EntryFilter, Quarantine
from filterd.quarantine.coding import Coding
from filterd.quarantine.evidence import encode
from filterd.quarantine.layout import fields_of
from tests.conftest import SHARED
from tests.operations.held import Brought, stand
from tests.quarantine.samples import raw

COUNT: Final = 1_500
JOBS: Final = 2
SEED: Final = 20_261_125


@dataclass(frozen=True, slots=True)
class Result:
    """Of one setting: bytes on disk by kind, and microseconds for each message."""

    segments: int
    blobs: int
    ledger: int
    hold: float
    read: float


def mail(count: int) -> list[Brought]:
    """So many public messages, the same each time."""
    with tarfile.open(SHARED / "data" / "mail" / "dev-mail.tar.xz") as tar:
        found = [file.read() for member in tar if member.name.endswith(".eml") and (file := tar.extractfile(member))]
    return [Brought.of(one) for one in random.Random(SEED).sample(found, count)]


def held(quarantine: Quarantine) -> Iterator[tuple[Evidence, bytes]]:
    """All that a quarantine holds."""
    before = None
    while page := quarantine.entries(EntryFilter(), before=before, limit=200):
        for entry in page:
            with quarantine.open_raw(entry.id) as source:
                yield quarantine.evidence(entry.id), source.read()
        before = page[-1].id


def measured(folder: Path, items: Sequence[tuple[Evidence, bytes]], coding: Coding) -> Result:
    """Hold all of them, and read all of them back."""
    with closing(Quarantine(folder, coding=coding, fsync=lambda _: None)) as quarantine:
        quarantine.prepare()
        spent = 0.0
        for evidence, data in items:
            fields, offset = fields_of(data, evidence.state)
            with raw(data[offset:], fields) as message:
                begun = time.process_time()
                quarantine.hold(evidence, message)
                spent += time.process_time() - begun
        begun = time.process_time()
        for evidence, data in items:
            quarantine.evidence(evidence.id)
            with quarantine.open_raw(evidence.id) as source:
                if source.read() != data:
                    raise ValueError(f"{evidence.id} has other bytes")
        read = time.process_time() - begun
    with closing(Quarantine(folder)) as quarantine:
        quarantine.sweep(0)  # takes away the zeros behind what was held
    sizes = [_taken(folder / name) for name in ("segments", "blobs", "evidence")]
    ledger = sum([path.stat().st_size for path in folder.glob("ledger.sqlite*")])
    each = 1e6 / len(items)
    return Result(sizes[0], sizes[1] + sizes[2], ledger, spent * each, read * each)


def _taken(folder: Path) -> int:
    return sum([path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file()])


def main() -> None:
    """Print both."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with stand(root, JOBS) as found:
            found.hold(mail(count))
            items = list(held(found.quarantine))
        results = {coding: measured(root / coding.name, items, coding) for coding in Coding}
    messages = sum([len(data) for _, data in items])
    evidence = sum([len(encode(one)) for one, _ in items])
    sys.stdout.write(f"{len(items)} messages of {messages / 1e6:.1f} MB, with {evidence / 1e6:.1f} MB of evidence\n")
    for coding, one in results.items():
        sys.stdout.write(
            f"{coding.name.lower():5} segments {one.segments / 1e6:7.1f} MB  files {one.blobs / 1e6:6.1f} MB"
            f"  ledger {one.ledger / 1e6:5.1f} MB  hold {one.hold:6.0f} us  read {one.read:6.0f} us\n"
        )


if __name__ == "__main__":
    main()
