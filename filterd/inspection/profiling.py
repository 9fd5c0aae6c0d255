"""What the inspectors of `filterd rules profile` read with: every rule file asked by itself, and its time kept."""

import io
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import yara

from filterd.inspection.child import Reader
from filterd.inspection.inspect import inspect
from filterd.ipc.messages import NurserySettings
from filterd.model.inspection import Inspection, InspectionJob
from filterd.yarascan.engine import Engine, Scan
from filterd.yarascan.load import RuleSet, load_rules

PREFIX: Final = "file:"  # before a rule file's name in an inspection's times
SECONDS: Final = 10  # of one file over one stream; whoever takes them is what the profile is about


class Profiler:
    """A scanner that asks file after file. Holds the times of one message."""

    def __init__(self, rule_set: RuleSet) -> None:
        """Take over the set's files."""
        self.rule_set = rule_set.id
        self.ms: dict[str, float] = {}
        self._engines = {
            namespace: Engine(RuleSet(yara.load(file=io.BytesIO(compiled)), rule_set.id), timeout=SECONDS)
            for namespace, compiled in rule_set.alone.items()
        }

    def scan(self, data: bytes | memoryview, externals: dict[str, str | int], seconds: float) -> Scan:  # noqa: ARG002  # the message's own bound would cut the profile short
        """What all files find; the time of each is added up."""
        found = Scan()
        for namespace, engine in self._engines.items():
            start = time.process_time()
            scan = engine.scan(data, externals, 2 * SECONDS)
            self.ms[namespace] = self.ms.get(namespace, 0.0) + (time.process_time() - start) * 1000
            found = Scan(found.hits + scan.hits, found.cut or scan.cut)
        return found


def make_reader(settings: NurserySettings) -> Reader:
    """Load the rules; as `reader.make_reader` otherwise."""
    rule_set = load_rules(Path(settings.rules), Path(settings.cache) if settings.cache else None)
    profiler = Profiler(rule_set)

    def read(job: InspectionJob, body: memoryview) -> Inspection:
        profiler.ms.clear()
        facts = inspect(job, body, profiler)
        costs = {f"{PREFIX}{name}": round(ms, 4) for name, ms in profiler.ms.items()}
        return replace(facts, ms=facts.ms | costs)

    return Reader(read, rule_set.id, rule_set.problems)
