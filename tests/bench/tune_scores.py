"""What the rules alone make of a corpus, and which weights a fit to one half of it would give.

    python -m tests.bench.tune_scores INDEX [--seed N] [--keep FILE] [--fit] [--missed N] [--wrong N]
    python -m tests.bench.tune_scores INDEX --cost

INDEX has lines of label ("ham" or "spam"), source and path, parted by tabs, as paths below its own folder. Each
message is judged by `filterd scan --json` with an empty recording of DNS answers: no network, nothing learnt, no
history. A seed parts ham and spam into two halves; weights are chosen by looking at the first alone, and the second
tells what they are worth: ham at or over each threshold, spam found, by source. `--keep` saves what scan found (and
reads it, where the file is there), so that trying other weights takes seconds. `--fit` prints beside each shipped
weight the one of a fit to the first half; they are advice, as a small corpus knows little of rare symbols and nothing
of mail it does not hold. `--missed` and `--wrong` name spam with fewest points, and ham with most.
"""

import argparse
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from typing import Final

import msgspec
import numpy as np

from filterd.app.scores import load_site_scores
from filterd.config import DEFAULT_PATH, Config
from filterd.config.root import shipped_rules
from filterd.config.rules import Rules
from filterd.heuristics import load_phrases
from filterd.inspection.inspect import inspect
from filterd.mime.header import split
from filterd.mime.symbols import HEURISTICS
from filterd.model.custody import EVIDENCE_VERSION
from filterd.model.inspection import RULE_PREFIX, InspectionJob
from filterd.model.report import CheckReport, Finding, Outcome
from filterd.model.verdict import Action
from filterd.score import ScoreRules, score
from filterd.score.scoring import COMPOSITE

THRESHOLDS: Final = {"add_header": 6.0, "quarantine": 10.0, "reject": 15.0}  # as [actions] ships them
_BATCH: Final = 1_000  # files of one scan: the command line has its limits
_TIMED: Final = 1_500  # messages of which the cost is taken
_ROUNDS: Final = 6  # times that each is read: others work on the same cores
_STEPS: Final = 4_000  # of the descent; it is flat long before
_RATE: Final = 2.0  # of the first step
_PULL: Final = 0.001  # towards zero, for each weight
_SPAM: Final = 7.0  # points that spam is to get: the threshold, and some
_HAM: Final = 4.0  # points that ham may have: other ham than this corpus' must have room
_DEAR: Final = 20.0  # how much worse one point too much is for ham than one too few for spam
_MOST: Final = 4.0  # points of one symbol


@dataclass(frozen=True)
class Judged:
    """One message: what was found in it, and the floor that a symbol set."""

    label: str
    source: str
    path: str
    symbols: tuple[str, ...]
    rules: float  # points of YARA rules, which bring their own


def judge(index: Path) -> list[Judged]:
    """Scan every message of the index, without DNS."""
    lines = [line.split("\t") for line in index.read_text().splitlines() if line.strip()]
    found: list[Judged] = []
    with TemporaryDirectory() as folder:
        recording = Path(folder) / "nothing.json"
        recording.write_bytes(
            msgspec.json.encode({"version": EVIDENCE_VERSION, "received": time.time(), "answers": []})
        )
        for start in range(0, len(lines), _BATCH):
            some = lines[start : start + _BATCH]
            files = [str(index.parent / path) for _, _, path in some]
            argv = [sys.executable, "-m", "filterd", "scan", "--json", "--dns-recording", str(recording), *files]
            done = subprocess.run(argv, capture_output=True, check=False)
            if done.returncode:
                raise SystemExit(f"scan ended with {done.returncode}: {done.stderr[-500:].decode(errors='replace')}")
            rows = [msgspec.json.decode(line) for line in done.stdout.splitlines()]
            for (label, source, path), row in zip(some, rows, strict=True):
                names = {symbol["name"]: symbol["score"] for symbol in row["symbols"] if symbol["check"] != COMPOSITE}
                own = [name for name in names if name.startswith(RULE_PREFIX)]
                found.append(Judged(label, source, path, tuple(names), sum([names[name] for name in own])))
            sys.stderr.write(f"\r{len(found)} of {len(lines)}")
    sys.stderr.write("\n")
    return found


def halves(messages: Sequence[Judged], seed: int) -> tuple[list[Judged], list[Judged]]:
    """Two halves, each with half of every source's ham and spam."""
    first: list[Judged] = []
    second: list[Judged] = []
    rng = random.Random(seed)  # reproducible, not secret
    for group in sorted({(one.label, one.source) for one in messages}):
        members = [one for one in messages if (one.label, one.source) == group]
        rng.shuffle(members)
        first += members[: len(members) // 2]
        second += members[len(members) // 2 :]
    return first, second


def points(message: Judged, rules: ScoreRules) -> tuple[float, Action | None]:
    """The score and the floor under these rules."""
    report = CheckReport("content", Outcome.OK, tuple([Finding(name) for name in message.symbols]))
    result = score([report], rules)
    return result.total + message.rules, result.floor


def figures(messages: Sequence[Judged], rules: ScoreRules) -> str:
    """A table: by label and source the share of messages at or over each threshold, by points and with floors."""
    lines = [f"{'':26}{'messages':>9}" + "".join([f"{name:>12}" for name in THRESHOLDS]) + f"{'held':>12}"]
    groups = sorted({(one.label, one.source) for one in messages})
    for label, source in [*groups, ("ham", ""), ("spam", "")]:
        own = [points(one, rules) for one in messages if one.label == label and source in ("", one.source)]
        shares = [sum([total >= least for total, _ in own]) for least in THRESHOLDS.values()]
        held = sum([total >= THRESHOLDS["quarantine"] or _holds(floor) for total, floor in own])
        cells = "".join([f"{100 * count / max(len(own), 1):>10.2f} %" for count in (*shares, held)])
        lines.append(f"{label + ' ' + (source or 'all'):26}{len(own):>9}{cells}")
    return "\n".join(lines)


def _holds(floor: Action | None) -> bool:
    return floor is not None and floor.rank >= Action.QUARANTINE.rank


def fit(messages: Sequence[Judged], rules: ScoreRules) -> dict[str, float]:
    """Weights for the heuristics' symbols: spam is to get _SPAM points, ham no more than _HAM; others' as shipped.

    A line through the points with hinges on both sides; between zero and _MOST, and groups' caps are left to the eye.
    """
    names = sorted(HEURISTICS)
    column = {name: number for number, name in enumerate(names)}
    found = np.zeros((len(messages), len(names)))
    fixed = np.zeros(len(messages))
    for row, message in enumerate(messages):
        for name in message.symbols:
            if name in column:
                found[row, column[name]] = 1.0
        others = [name for name in message.symbols if name not in column]
        fixed[row] = points(replace(message, symbols=tuple(others)), rules)[0]
    spam = np.array([message.label == "spam" for message in messages])
    weights = np.array([rules.symbols[name].weight if name in rules.symbols else 0.0 for name in names])
    for step in range(_STEPS):
        total = found @ weights + fixed
        slope = np.where(spam & (total < _SPAM), -1.0 / spam.sum(), 0.0)
        slope += np.where(~spam & (total > _HAM), _DEAR / (~spam).sum(), 0.0)
        weights -= _RATE / (1 + step / 500) * (found.T @ slope + _PULL * weights)
        weights = np.clip(weights, 0.0, _MOST)
    return {name: float(weights[column[name]]) for name in names}


def advice(messages: Sequence[Judged], rules: ScoreRules) -> str:
    """Each heuristic's share of hits by label and source, the shipped weight and the fitted one."""
    fitted = fit(messages, rules)
    groups = sorted({(one.label, one.source) for one in messages})
    sizes = Counter([(one.label, one.source) for one in messages])
    hits = Counter([(name, one.label, one.source) for one in messages for name in one.symbols])
    lines = [
        f"{'symbol':28}"
        + "".join([f"{label[:4] + ' ' + source[:9]:>16}" for label, source in groups])
        + "    shipped  fitted"
    ]
    for name in sorted(HEURISTICS, key=lambda symbol: -fitted[symbol]):
        cells = "".join([f"{100 * hits[name, *group] / sizes[group]:>14.2f} %" for group in groups])
        shipped = rules.symbols[name].weight if name in rules.symbols else 0.0
        lines.append(f"{name:28}{cells}{shipped:>11.1f}{fitted[name]:>8.2f}")
    return "\n".join(lines)


def extremes(messages: Sequence[Judged], rules: ScoreRules, label: str, count: int) -> str:
    """The ham with most points, or the spam with fewest."""
    own = sorted([(points(one, rules)[0], one.path, one.symbols) for one in messages if one.label == label])
    chosen = own[::-1][:count] if label == "ham" else own[:count]
    return "\n".join([f"{total:6.1f} {path}: {' '.join(symbols)}" for total, path, symbols in chosen])


def cost(index: Path) -> str:
    """What the heuristics take of an inspection: of each of some ham messages the least of several times."""
    phrases = load_phrases(shipped_rules() / "phrases.toml")
    paths = [line.split("\t")[2] for line in index.read_text().splitlines() if line.startswith("ham")]
    jobs = []
    for path in paths[:: max(1, len(paths) // _TIMED)]:
        raw = (index.parent / path).read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        fields, start = split(raw)
        jobs.append((InspectionJob("x", fields, len(raw) - start, 60, time.time()), memoryview(raw)[start:]))
    spent = [float("inf")] * len(jobs)
    for _ in range(_ROUNDS):
        for number, (job, body) in enumerate(jobs):
            spent[number] = min(spent[number], inspect(job, body, None, phrases=phrases).ms["heuristics"])
    return f"heuristics: median {median(spent):.3f} ms, mean {mean(spent):.3f} ms of {len(spent)} ham messages"


def main() -> int:
    """Judge, part, print; 1 where more than 0.3 % of the second half's ham is tagged or any of it is held."""
    options = _options()
    if options.cost:
        sys.stdout.write(cost(options.index) + "\n")
        return 0
    if options.keep is not None and options.keep.exists():
        messages = [Judged(**row) for row in msgspec.json.decode(options.keep.read_bytes())]
    else:
        messages = judge(options.index)
        if options.keep is not None:
            options.keep.write_bytes(msgspec.json.encode([msgspec.to_builtins(one) for one in messages]))
    rules, problems = load_site_scores(Config(rules=Rules(path=options.rules)), DEFAULT_PATH)
    if problems:
        raise SystemExit("\n".join(problems))
    first, second = halves(messages, options.seed)
    for title, half in (("first half, which the weights were chosen on", first), ("second half", second)):
        sys.stdout.write(f"{title} (seed {options.seed})\n{figures(half, rules)}\n\n")
    if options.fit:
        sys.stdout.write(advice(first, rules) + "\n")
    for label, count in (("spam", options.missed), ("ham", options.wrong)):
        if count:
            sys.stdout.write(f"{label} of the first half:\n{extremes(first, rules, label, count)}\n")
    ham = [points(one, rules) for one in second if one.label == "ham"]
    tagged = sum([total >= THRESHOLDS["add_header"] for total, _ in ham])
    held = sum([total >= THRESHOLDS["quarantine"] or _holds(floor) for total, floor in ham])
    return 1 if held or tagged > 0.003 * len(ham) else 0  # what step 5 asks for


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.tune_scores")
    parser.add_argument("index", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--rules", type=Path, help="weigh with another rules directory")
    parser.add_argument("--cost", action="store_true", help="time the heuristics instead")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--missed", type=int, default=0)
    parser.add_argument("--wrong", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
