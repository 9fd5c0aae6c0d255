"""Every held message judged again, several at a time, and what would come of it."""

from collections import defaultdict, deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from filterd.model.custody import CustodyError
from filterd.operations.replay import Bench, ReplayError, replay
from filterd.operations.replay_report import compared
from filterd.quarantine import EntryFilter, EvidenceError, Quarantine

PAGE: Final = 1_000  # entries read at once
AHEAD: Final = 4  # messages per worker that are under way or done and not yet told


@dataclass(slots=True)
class Changes:
    """The verdicts of a run, added up. `moved`: ids by the action then and the action now."""

    messages: int = 0
    other_score: int = 0
    lacking: int = 0
    moved: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    problems: list[tuple[str, str]] = field(default_factory=list)

    def add(self, found: dict[str, Any]) -> None:
        """Count one more."""
        if "problem" in found:
            self.problems.append((found["id"], found["problem"]))
            return
        self.messages += 1
        self.lacking += bool(found["missing"])
        before, after = found["before"], found["after"]
        if before["action"] != after["action"]:
            self.moved[before["action"], after["action"]].append(found["id"])
        else:
            self.other_score += not found["same"]

    @property
    def changed(self) -> int:
        """How many messages would be treated otherwise."""
        return sum(len(ids) for ids in self.moved.values())


def held(quarantine: Quarantine) -> list[str]:
    """The ids of all messages whose bytes are still there, newest first; of retries of one message the newest."""
    found: list[str] = []
    before = None
    while page := quarantine.entries(EntryFilter(state=None), before=before, limit=PAGE):
        found += [entry.id for entry in page if entry.files]
        before = page[-1].id
    return found


def replay_many(
    bench: Bench, quarantine: Quarantine, ids: Sequence[str], workers: int, config_id: str, *, live: bool
) -> Generator[dict[str, Any]]:
    """One object for each id, in their order: as `compared`, or its `problem`. Closing it ends what is under way."""

    def one(identifier: str) -> dict[str, Any]:
        return _one(bench, quarantine, identifier, config_id, live=live)

    yield from _in_order(one, ids, workers)


def _in_order(one: Callable[[str], dict[str, Any]], ids: Sequence[str], workers: int) -> Generator[dict[str, Any]]:
    pool = ThreadPoolExecutor(workers)
    under_way: deque[Future[dict[str, Any]]] = deque()
    try:
        for identifier in ids:
            under_way.append(pool.submit(one, identifier))
            if len(under_way) >= workers * AHEAD:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _one(bench: Bench, quarantine: Quarantine, identifier: str, config_id: str, *, live: bool) -> dict[str, Any]:
    try:
        evidence = quarantine.evidence(identifier)
        with quarantine.open_raw(identifier) as file:
            raw = file.read()
        return compared(evidence, replay(bench, evidence, raw, live=live), config_id)
    except KeyError:
        return {"id": identifier, "problem": "its files are gone"}
    except (CustodyError, EvidenceError, ReplayError, OSError) as error:
        return {"id": identifier, "problem": str(error)}
