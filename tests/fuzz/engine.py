"""A small mutation fuzzer. A target is a check of one parser's invariant over any bytes, with seeds and a dictionary.

Every input is made from three things only: the seed of the run (FILTERD_SEED, 0 where it is not set), the target's name
and the input's number. A failure prints all three, the input made as small as a few hundred tries can make it, and the
same as hexadecimal digits, to become a case of the parser's own tests. FILTERD_FUZZ multiplies the number of inputs.

Parsers that end in C can take the process with them: the input at hand is always in a file, whose name the target's
name begins, and which stays behind then.
"""

import os
import random
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

SEED: Final = "FILTERD_SEED"
FACTOR: Final = "FILTERD_FUZZ"
MOST_STEPS: Final = 6  # mutations of one input; more of them make noise that parsers refuse at once
FRONT: Final = 1_024  # bytes at the beginning that half of all mutations fall into: there is where structure is
SHRINKING: Final = 400  # runs spent on making a failing input smaller
SHOWN: Final = 4_000  # bytes of a failing input that are printed; what is longer is in a file
ODD_BYTES: Final = b"\0\x01\t\n\r \"'(),-./:;<=>?@[\\]\x7f\x80\xc0\xff"


@dataclass(frozen=True)
class Target:
    """A check that fails where the invariant does not hold. `largest` is in bytes, `runs` the small budget.

    `make` builds an input where changing the seeds alone would not get far.
    """

    name: str
    check: Callable[[bytes], None]
    seeds: Sequence[bytes]
    tokens: Sequence[bytes] = ()
    runs: int = 600
    largest: int = 65_536
    make: Callable[[random.Random], bytes] | None = None


def fuzz(target: Target) -> None:
    """Run every seed, then mutants; the first that breaks the invariant is made small and fails the test."""
    with _input_at_hand(target.name) as note:
        for number, data in enumerate(inputs(target, base_seed(), target.runs * factor())):
            note(data)
            error = failure(target, data)
            if error is not None:
                pytest.fail(_report(target, number, shrink(target, data, type(error), note), error), pytrace=False)


def base_seed() -> int:
    """The seed of this run."""
    return int(os.environ.get(SEED) or 0)


def factor() -> int:
    """How many times the small budget is run."""
    return int(os.environ.get(FACTOR) or 1)


def inputs(target: Target, seed: int, runs: int) -> Iterator[bytes]:
    """The seeds as they are, then `runs` mutants of them."""
    yield from target.seeds
    for number in range(runs):
        rng = random.Random(f"{seed}/{target.name}/{number}")
        yield target.make(rng) if target.make else mutant(target, rng)


def failure(target: Target, data: bytes) -> Exception | None:
    """What the check raised."""
    try:
        target.check(data)
    except Exception as error:  # noqa: BLE001  # any exception is what is looked for
        return error
    return None


# Mutations


def mutant(target: Target, rng: random.Random) -> bytes:
    """One of the seeds with a few mutations."""
    data = rng.choice(target.seeds)
    for _ in range(rng.randint(1, MOST_STEPS)):
        data = rng.choice(MUTATIONS)(data, target, rng)
    return data[: target.largest]


def _place(data: bytes, rng: random.Random) -> int:
    return rng.randrange(min(len(data), FRONT) + 1) if rng.random() < 0.5 else rng.randrange(len(data) + 1)


def _range(data: bytes, rng: random.Random) -> tuple[int, int]:
    """A stretch of the data, short more often than long."""
    start = _place(data, rng)
    return start, min(len(data), start + rng.choice((1, 2, 4, 16, 64, 512, 4_096)))


def _flip(data: bytes, _target: Target, rng: random.Random) -> bytes:
    if not data:
        return data
    place = min(_place(data, rng), len(data) - 1)
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


def _overwrite(data: bytes, _target: Target, rng: random.Random) -> bytes:
    place = _place(data, rng)
    return data[:place] + bytes([rng.choice(ODD_BYTES)]) + data[place + 1 :]


def _insert(data: bytes, target: Target, rng: random.Random) -> bytes:
    place = _place(data, rng)
    return data[:place] + _token(target, rng) + data[place:]


def _replace(data: bytes, target: Target, rng: random.Random) -> bytes:
    start, end = _range(data, rng)
    return data[:start] + _token(target, rng) + data[end:]


def _exchange(data: bytes, target: Target, rng: random.Random) -> bytes:
    """A token that is there for another one: what a dictionary is for."""
    here = [token for token in target.tokens if token in data]
    if not here:
        return _insert(data, target, rng)
    token = rng.choice(here)
    places = [match.start() for match in re.finditer(re.escape(token), data)]
    place = rng.choice(places)
    return data[:place] + _token(target, rng) + data[place + len(token) :]


def _delete(data: bytes, _target: Target, rng: random.Random) -> bytes:
    start, end = _range(data, rng)
    return data[:start] + data[end:]


def _repeat(data: bytes, target: Target, rng: random.Random) -> bytes:
    start, end = _range(data, rng)
    piece = data[start:end] if rng.random() < 0.5 else _token(target, rng)
    times = min(rng.choice((2, 3, 10, 100, 1_000)), 1 + target.largest // max(len(piece), 1))
    return data[:start] + piece * times + data[start:]


def _move(data: bytes, _target: Target, rng: random.Random) -> bytes:
    start, end = _range(data, rng)
    rest = data[:start] + data[end:]
    place = _place(rest, rng)
    return rest[:place] + data[start:end] + rest[place:]


def _splice(data: bytes, target: Target, rng: random.Random) -> bytes:
    """The beginning of this input and the end of another."""
    other = rng.choice(target.seeds)
    return data[: _place(data, rng)] + other[_place(other, rng) :]


def _graft(data: bytes, target: Target, rng: random.Random) -> bytes:
    """A stretch of another input inside this one."""
    other = rng.choice(target.seeds)
    start, end = _range(other, rng)
    place = _place(data, rng)
    return data[:place] + other[start:end] + data[place:]


def _truncate(data: bytes, _target: Target, rng: random.Random) -> bytes:
    return data[: _place(data, rng)]


def _token(target: Target, rng: random.Random) -> bytes:
    return rng.choice(target.tokens) if target.tokens else bytes([rng.choice(ODD_BYTES)])


MUTATIONS: Final[tuple[Callable[[bytes, Target, random.Random], bytes], ...]] = (
    _flip,
    _overwrite,
    _insert,
    _insert,
    _replace,
    _exchange,
    _exchange,
    _delete,
    _repeat,
    _move,
    _splice,
    _graft,
    _truncate,
)


# Failures


def shrink(target: Target, data: bytes, kind: type[Exception], note: Callable[[bytes], None] = lambda _: None) -> bytes:
    """A smaller input with the same type of exception: pieces are left out, halves first, then smaller ones."""
    tries = SHRINKING
    size = max(len(data) // 2, 1)
    while size and tries:
        start = 0
        while start < len(data) and tries:
            tries -= 1
            shorter = data[:start] + data[start + size :]
            note(shorter)
            if type(failure(target, shorter)) is kind:
                data = shorter
            else:
                start += size
        size //= 2
    return data


def _report(target: Target, number: int, data: bytes, error: Exception) -> str:
    kept = ""
    if len(data) > SHOWN:
        with tempfile.NamedTemporaryFile(prefix=f"filterd-fuzz-{target.name}-", suffix=".bin", delete=False) as file:
            file.write(data)
        kept = f"\nthe whole of it: {file.name}"
    again = failure(target, data) or error
    return (
        f"{target.name}: {type(again).__name__}: {str(again)[:1_000]}\n"
        f"{SEED}={base_seed()}, input {number}, made smaller: {len(data)} bytes\n"
        f"{data[:SHOWN]!r}\n{data[:SHOWN].hex()}{kept}"
    )


@contextmanager
def _input_at_hand(name: str) -> Iterator[Callable[[bytes], None]]:
    """Keeps the input that is being read in a file, for the case that the process ends with it."""
    path = Path(tempfile.gettempdir()) / f"filterd-fuzz-{name}-{os.getpid()}.last"
    descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    def note(data: bytes) -> None:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, data, 0)

    try:
        yield note
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)
