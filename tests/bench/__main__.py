"""`make bench` and `make bench-peers`: what a message costs, in filterd and, beside it in the same run, in rspamd.

    python -m tests.bench [--peers] [--quick] [--rounds N] [--calm S] [--json FILE]
    python -m tests.bench --postfix [--quick] [--json FILE]

Absolute figures belong to this machine at this minute: its speed drifts by 1.8, which is why a fixed loop is timed
beside each pass. Ratios are taken within a round. Exit status 1 where any message was not delivered, or the SPF and
DKIM words in what was added to it are not those the set was built to have.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import msgspec

from tests.bench import report
from tests.bench.postfix import table, through_postfix
from tests.bench.rspamd import installed
from tests.bench.scenarios import Plan, Results, cold, paced, rounds, say, stage
from tests.support.process import open_folder

SHOWN = 20  # problems


def main() -> int:
    """Measure, print, and say whether everything was right."""
    options = _options()
    if options.peers and not installed():
        say("rspamd is not installed: make bench-peers installs it, or apt-get install rspamd")
        return 1
    plan = Plan(rounds=options.rounds, peers=options.peers, calm=options.calm)
    if options.quick:
        plan = replace(plan, rounds=1, count=120, levels=(8,), paced=4)
    if options.postfix:
        return _postfix(replace(plan, rounds=0), options.json)
    results = Results()
    with open_folder() as folder, stage(folder, plan) as on:
        rounds(on, results)
        cold(on, results)
        paced(on, results)
    sys.stdout.write(report.tables(results))
    if options.json is not None:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1))
    problems = [f"{one.system}, {one.case}: {line}" for one in results.figures for line in one.problems]
    for line in problems[:SHOWN]:
        say(line)
    for line in results.complaints:
        say(f"filterd logged: {line}")
    say(f"{len(problems)} problems in {sum(one.messages for one in results.figures)} messages")
    return 1 if problems or results.complaints else 0


def _postfix(plan: Plan, path: Path | None) -> int:
    """Only what clients of a real Postfix wait for."""
    with open_folder() as folder, stage(folder, plan) as on:
        waits = through_postfix(on)
    sys.stdout.write(table(waits))
    if path is not None:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(waits), indent=1))
    problems = [line for one in waits for line in one.problems]
    for line in problems[:SHOWN]:
        say(line)
    return 1 if problems else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="What a message costs.")
    parser.add_argument("--peers", action="store_true", help="rspamd beside it, in turns, and the ratios")
    parser.add_argument("--quick", action="store_true", help="a look within a minute: few messages, one concurrency")
    parser.add_argument(
        "--postfix", action="store_true", help="only the waits of clients with a slow DNS, through Postfix"
    )
    parser.add_argument("--rounds", type=int, default=Plan().rounds, help="how often everything warm is repeated")
    parser.add_argument("--calm", type=float, default=0.0, metavar="S", help="wait up to S seconds for an idle machine")
    parser.add_argument("--json", type=Path, help="write every pass into this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
