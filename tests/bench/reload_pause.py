"""What a reload costs the mail that flows meanwhile: `python -m tests.bench.reload_pause [--rules FILE.tar.xz]`.

Some 20 messages a second over several sessions at an SMTP client's pace; in the middle the daemon is told to reload,
and again after a rule file was added. Told are the waits at the end of a message before, during and after.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench import measure
from tests.bench.load import Job, Sent
from tests.bench.messages import build, zone
from tests.bench.passes import Batch, Load
from tests.bench.targets import NameServer, write_zone
from tests.support.daemon import Filterd
from tests.support.process import wait_until
from tests.support.unpacked import unpacked

RULES: Final = Path(__file__).resolve().parents[2] / "rules"
SESSIONS: Final = 5
STEPS: Final = 5  # pauses of a session: HELO, MAIL, RCPT, DATA, and the one before the next message
RATE: Final = 20  # messages a second
WITHIN: Final = 90.0  # seconds for a reload with a cold compile
AROUND: Final = 0.5  # seconds around a reload that count to it
ASKED: Final = 50.0  # milliseconds more than at other times that a message may wait


@dataclass(frozen=True, slots=True)
class Phase:
    """Waits at the end of messages, in milliseconds."""

    name: str
    waits: tuple[float, ...]

    def at(self, share: float) -> float:
        """The wait that this share of all messages does not exceed."""
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

    def __str__(self) -> str:
        """One row."""
        values = "  ".join(f"{self.at(share):8.1f}" for share in (0.5, 0.9, 0.99, 1.0))
        return f"{self.name:22} {len(self.waits):6}  {values}"


def phases(sent: Sequence[Sent], reloads: Sequence[tuple[str, float, float]]) -> list[Phase]:
    """Before, during each reload, and after."""
    first, last = reloads[0][1], reloads[-1][2]
    spans = [("before", 0.0, first), *[(name, begin, end + AROUND) for name, begin, end in reloads]]
    spans.append(("after", last + AROUND, float("inf")))
    return [
        Phase(name, tuple([one.eom * 1000 for one in sent if begin <= one.at < end and not one.error]))
        for name, begin, end in spans
    ]


def prepare(folder: Path, archive: Path | None) -> Path:
    """The rules as shipped, with those of an archive of rule files beside them."""
    rules = folder / "rules"
    shutil.copytree(RULES, rules)
    if archive is not None:
        unpacked(archive, rules / "yara" / "more")
    for path in (folder, *rules.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return rules


def reload(filterd: Filterd, name: str) -> tuple[str, float, float]:
    """Have it reload; when that began and ended, by the monotonic clock."""
    done = len(filterd.events("reloaded"))
    begin = time.monotonic()
    os.kill(filterd.process.pid, signal.SIGUSR1)
    wait_until(lambda: len(filterd.events("reloaded")) > done, "it has reloaded", WITHIN)
    return name, begin, time.monotonic()


def main() -> int:
    """Measure and tell; 1 where a message waited too long because of a reload, or was not answered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", type=Path, help="an archive of rule files that are loaded beside those shipped")
    parser.add_argument("--seconds", type=int, default=60, help="how long messages flow")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="filterd-reload-") as made:
        folder = Path(made)
        rules = prepare(folder, chosen.rules)
        count = chosen.seconds * RATE
        batch = Batch.store(folder / "messages.bin", build(count=100))
        zone_file = write_zone(folder / "zone.toml", zone([], 100))
        with NameServer(folder, zone_file) as dns, Load() as load:
            settings: dict[str, dict[str, object]] = {"dns": {"nameservers": [f"127.0.0.1:{dns.port}"]}}
            settings["rules"] = {"path": str(rules)}
            with Filterd(folder, settings) as filterd:
                wait_until((folder / "state" / "status.json").exists, "every front serves", WITHIN)
                small = batch.small
                numbers = tuple(small[number % len(small)] for number in range(count))
                job = Job(str(batch.path), filterd.listen, numbers, SESSIONS, SESSIONS / RATE / STEPS)
                sent: list[Sent] = []
                sender = threading.Thread(target=lambda: sent.extend(load.send(job).sent))
                loop = measure.calibration()
                sender.start()
                time.sleep(chosen.seconds / 4)
                reloads = [reload(filterd, "reload")]
                time.sleep(chosen.seconds / 10)
                (rules / "yara" / "changed.yar").write_text("rule changed { condition: filesize == 12345 }")
                reloads.append(reload(filterd, "reload, rules changed"))
                sender.join()
        found = phases(sent, reloads)
        lost = [one.error for one in sent if one.error or one.verdict not in ("a", "c")]
        took = ", ".join(f"{name} took {end - begin:.1f} s" for name, begin, end in reloads)
        sys.stdout.write(f"{len(sent)} messages; {took}; loop {loop:.0f} ms; load {os.getloadavg()[0]:.1f}\n")
        sys.stdout.write(f"{'ms':22} {'number':>6}  {'p50':>8}  {'p90':>8}  {'p99':>8}  {'max':>8}\n")
        sys.stdout.writelines(f"{phase}\n" for phase in found)
        usual = max(found[0].at(1.0), found[-1].at(1.0))
        pause = max(phase.at(1.0) for phase in found[1:-1]) - usual
        sys.stdout.write(f"longest wait, during less at other times: {pause:.1f} ms; asked for {ASKED:.0f}\n")
        sys.stdout.writelines(f"not delivered: {error}\n" for error in lost[:5])
        return int(pause > ASKED or bool(lost))


if __name__ == "__main__":
    sys.exit(main())
