"""Whether messages that are put together belong together, over mail whose kind is known.

    python -m tests.bench.campaigns INDEX      lines "spam|ham SOURCE PATH" or "spam|ham PATH", parted by tabs

Nobody has said which of these messages are one campaign. What can be counted: groups that have spam and ham in them are
wrong; and of groups it is shown what their subjects are, for whoever wants to judge.
"""

import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from filterd.inspection.rendering import render
from filterd.mime.header import split
from filterd.model.inspection import InspectionJob
from filterd.operations.likeness import Sketch, groups

SHOWN: Final = 8  # groups whose subjects are shown: the largest, and as many by chance
SUBJECTS: Final = 3  # of a group
SEED: Final = 20_261_125


def read(path: Path) -> tuple[str, Sketch]:
    """The subject and the sketch of a message, as an inspector makes them."""
    raw = path.read_bytes()
    if raw.count(b"\n") != raw.count(b"\r\n"):
        raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    fields, offset = split(raw)
    found = render(InspectionJob("", fields, len(raw) - offset, 60.0, 0.0), memoryview(raw)[offset:])
    return found.subject, found.shown.likeness if found.shown else ()


def main(index: Path) -> None:
    """Print what came of it."""
    rows = [line.split("\t") for line in index.read_text().splitlines()]
    labels = [row[0] for row in rows]
    started = time.process_time()
    mail = [read(index.parent / row[-1]) for row in rows]
    read_in = time.process_time() - started
    started = time.process_time()
    found = [group for group in groups([sketch for _, sketch in mail]) if len(group) > 1]
    grouped_in = time.process_time() - started
    mixed = sum([len({labels[one] for one in group}) > 1 for group in found])
    _say(f"{len(mail)} messages, {1000 * read_in / len(mail):.2f} ms each; grouped in {grouped_in:.2f} s")
    _say(f"{len(found)} groups of two messages and more, {mixed} of them with spam and ham")
    for label, count in Counter(labels).items():
        alike = sum([labels[one] == label for group in found for one in group])
        _say(f"{label}: {alike} of {count} messages are in a group")
    found.sort(key=len, reverse=True)
    _show("largest", [[mail[one][0] for one in group] for group in found[:SHOWN]])
    some = random.Random(SEED).sample(found, min(SHOWN, len(found)))
    _show("by chance", [[mail[one][0] for one in group] for group in some])


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _show(what: str, found: Sequence[Sequence[str]]) -> None:
    for subjects in found:
        most = Counter(subjects).most_common()
        named = " | ".join([ascii(subject[:50]) for subject, _ in most[:SUBJECTS]])
        _say(f"{what}: {len(subjects)} messages, {len(most)} subjects: {named}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
