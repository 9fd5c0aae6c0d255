"""What the classifier costs, beside a plain filter in the same run, and how good both are.

    python -m tests.bench.classifier_cost INDEX [--sources NAME ...] [--seed N] [--most N]

The yardstick is logistic regression over the distinct runs of four bytes in the first 3,500 bytes of a message, in
numpy as well. Both are given what is there when a classifier is asked: the yardstick the raw message, the classifier
the message that was parsed for other purposes. Absolute times belong to this machine at this minute: read the ratio.
"""

import argparse
import math
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from filterd.classifier import empty, features_of, learn, load_receiving, margin
from filterd.classifier.evaluation import measures
from filterd.html import Page, read_page
from filterd.mime.charset import decode
from filterd.mime.message import Message
from filterd.mime.tree import parse
from filterd.mime.words import decode_words
from tests.bench.classifier_mail import RECEIVING, Mail, read_mail

FIRST = 3_500  # bytes of a message that the yardstick looks at
BITS = 20  # of its table
RATE = 10.0

Slots = NDArray[np.uint32]


class Yardstick:
    """The plain filter."""

    def __init__(self) -> None:
        """Nothing learnt."""
        self._weights = np.zeros(1 << BITS, dtype=np.float32)

    def features(self, raw: bytes) -> Slots:
        """Its features."""
        data = np.frombuffer(raw[:FIRST], dtype=np.uint8).astype(np.uint32)
        runs = data[:-3] | data[1:-2] << 8 | data[2:-1] << 16 | data[3:] << 24
        found: Slots = np.unique((runs * np.uint32(0x9E3779B1)) >> np.uint32(32 - BITS))
        return found

    def margin(self, slots: Slots) -> float:
        """Its opinion."""
        return float(self._weights[slots].sum()) / math.sqrt(max(len(slots), 1))

    def learn(self, slots: Slots, *, spam: bool) -> None:
        """One step."""
        wrong = 1 / (1 + math.exp(-max(min(self.margin(slots), 500.0), -500.0))) - spam
        self._weights[slots] -= np.float32(RATE * wrong / math.sqrt(max(len(slots), 1)))


class Timed:
    """Adds up what pieces of work cost."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.spent: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time what is done within."""
        start = time.perf_counter()
        yield
        self.spent[name] = self.spent.get(name, 0.0) + time.perf_counter() - start


def run(mail: Sequence[Mail], timed: Timed) -> tuple[list[float], list[float]]:
    """Both filters over the same messages, by turns; the margins of the yardstick and of the classifier."""
    receiving = load_receiving(RECEIVING)
    yardstick, weights = Yardstick(), empty()
    plain: list[float] = []
    ours: list[float] = []
    for one in mail:
        raw, arguments = one.shown, _parsed(one)
        with timed("yardstick features"):
            slots = yardstick.features(raw)
        with timed("yardstick judging"):
            plain.append(yardstick.margin(slots))
        with timed("yardstick learning"):
            yardstick.learn(slots, spam=one.spam)
        with timed("classifier features"):
            found = features_of(*arguments, receiving)
        with timed("classifier judging"):
            ours.append(margin(weights, found))
        with timed("classifier learning"):
            learn(weights, found, spam=one.spam)
    return plain, ours


def _parsed(mail: Mail) -> tuple[Message, str, list[str], list[Page], list[str]]:
    """What an inspector has at hand of a message; without the hosts of its links."""
    message = parse(mail.stripped, memoryview(mail.body))
    texts, pages = [], []
    for part in message.parts:
        text = decode(part.contents()[0], part.charset) if part.content_type.startswith("text/") else ""
        if part.content_type == "text/html":
            pages.append(read_page(text))
        elif text:
            texts.append(text)
    return message, decode_words(message.first(b"subject")), texts, pages, []


def main() -> int:
    """Print what each costs and how good it is."""
    parser = argparse.ArgumentParser(description="What the classifier costs.")
    parser.add_argument("index", type=Path)
    parser.add_argument("--sources", nargs="*", default=[])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=int, default=0)
    options = parser.parse_args()
    mail = read_mail(options.index, options.sources)
    random.Random(options.seed).shuffle(mail)
    mail = mail[: options.most or None]
    timed = Timed()
    said = dict(zip(("yardstick", "classifier"), run(mail, timed), strict=True))
    totals = {}
    for name, scores in said.items():
        ms = {key.split()[1]: 1000 * spent / len(mail) for key, spent in timed.spent.items() if key.startswith(name)}
        totals[name] = sum(ms.values())
        found = measures(scores, [one.spam for one in mail])
        parts = ", ".join([f"{key} {value:.3f}" for key, value in ms.items()])
        sys.stdout.write(
            f"{name:11} {totals[name]:.3f} ms a message ({parts}); (1-AUC) {found.one_minus_auc_percent:.4f} %, "
            f"recall {found.recall_at_fpr_0_1_percent:.2f} % at 0.1 %\n"
        )
    sys.stdout.write(f"the classifier costs {totals['classifier'] / totals['yardstick']:.2f} x the yardstick\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
