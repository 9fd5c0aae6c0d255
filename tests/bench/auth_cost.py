"""What authentication costs, beside the libraries that do the same, and how it grows with hostile input.

    python -m tests.bench.auth_cost               one to two minutes
    python -m tests.bench.auth_cost --growth      the growth alone

Every answer of the DNS is at hand. Figures are CPU time of this thread, the best of several turns that both sides take
one after the other with the same input: a shared machine only ever adds. Both do the whole job each time: they part
header and body, read signature and key, hash the body, verify. filterd's cache of keys is emptied for it, and that of
SPF records where the line says so. Exits with 1 where a bar is missed.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from time import thread_time_ns
from typing import Final

from tests.bench import auth_dkim, auth_spf
from tests.bench.auth_figures import Bench
from tests.bench.auth_hostile import Hostile, hostile
from tests.conftest import SHARED
from tests.support.growth import LINEAR, growth

LEAST: Final = 1_000_000  # nanoseconds that work should take to be timed, by repetition
ARCHIVE: Final = SHARED / "data" / "mail" / "dev-mail.tar.xz"


def grown(bench: Bench) -> None:
    """Twice the input, for every hostile one."""
    for one in hostile():
        bench.bound(f"{one.id}: {one.what}", _ratio(one), LINEAR, "x")


def _ratio(one: Hostile) -> float:
    """What doubled input costs; quick work is repeated until it can be timed."""
    work = one.build(one.size)
    work()
    started = thread_time_ns()
    work()
    times = max(1, LEAST // max(thread_time_ns() - started, 1))

    def build(size: int) -> Callable[[], object]:
        doubled = one.build(size)

        def repeated() -> None:
            for _ in range(times):
                doubled()

        return repeated

    return growth(build, one.size)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--growth", action="store_true", help="leave the comparison with libraries out")
    parser.add_argument("--peak", choices=("filterd", "dkimpy"), help=argparse.SUPPRESS)
    parser.add_argument("--message", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.message:
        options.message.write_bytes(auth_dkim.signed(auth_dkim.text(auth_dkim.LARGE), "relaxed/relaxed"))
        return
    if options.peak:
        sys.stdout.write(f"{auth_dkim.peak(options.peak)}\n")
        return
    bench = Bench()
    if not options.growth:
        bench.head("CPU", "filterd", "library", "share")
        auth_dkim.signatures(bench)
        auth_dkim.memory(bench)
        auth_dkim.corpus(bench, ARCHIVE)
        auth_spf.senders(bench)
        auth_spf.policies(bench)
    bench.head("growth: cost of twice the input")
    grown(bench)
    for what in bench.missed:
        bench.note(f"missed: {what}")
    sys.exit(1 if bench.missed else 0)


if __name__ == "__main__":
    main()
