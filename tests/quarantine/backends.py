"""The places where a quarantine may be kept, each with a way to open it as one more node."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import obstore
from obstore.store import S3Store

from filterd.model.custody import CustodyError
from filterd.model.ids import is_id
from filterd.quarantine import Quarantine
from filterd.quarantine.opening import Place, open_quarantine
from filterd.quarantine.s3 import S3Place
from tests.quarantine.kept import kept
from tests.quarantine.samples import BODY, evidence, raw, whole

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@dataclass
class Backend:
    """One place, empty at first."""

    place: Place
    folder: Path
    opened: list[Quarantine] = field(default_factory=list)

    def node(self) -> Quarantine:
        """One more node."""
        made = open_quarantine(self.place, self.folder)
        self.opened.append(made)
        return made

    def close(self) -> None:
        """All nodes."""
        for one in self.opened:
            one.close()

    def files(self) -> set[str]:
        """Names of what is stored beside the ledger."""
        if self.place.blobs:
            bucket, _, prefix = self.place.blobs.removeprefix("s3://").partition("/")
            store = S3Store(
                bucket,
                endpoint=self.place.endpoint,
                access_key_id="key",
                secret_access_key="secret",
                region="us-east-1",
                virtual_hosted_style_request=False,
                client_options={"allow_http": True},
            )
            return {one["path"] for page in obstore.list(store, prefix=prefix) for one in page}
        return kept(self.folder)

    def run(self, module: str, *arguments: str) -> None:
        """Run one of the tests' programs to its end, which must be a good one."""
        subprocess.run([sys.executable, "-m", module, *arguments], cwd=ROOT, env=ENVIRONMENT, check=True, timeout=60)

    def run_and_kill(self, seed: int, after: float) -> list[str]:
        """The ids a holding process printed before SIGKILL struck, so many seconds after its first."""
        argv = [sys.executable, "-m", "tests.quarantine.holder", str(self.folder), str(seed), "3"]
        argv.append(json.dumps(asdict(self.place)))
        with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, env=ENVIRONMENT) as child:
            assert child.stdout is not None
            first = child.stdout.readline()
            time.sleep(after)
            child.kill()
            lines = (first + child.stdout.read()).decode().split("\n")
        return [line for line in lines if is_id(line)]


def with_store(place: Place, store: S3Place) -> Place:
    """The same ledger, with messages in that store."""
    given = asdict(place) | {"blobs": store.url, "endpoint": store.endpoint, "region": store.region}
    return Place(**(given | {"key": store.key, "secret": store.secret}))


def hold(quarantine: Quarantine, number: int = 0, body: bytes = BODY, sender: str = "sender@a.test") -> str:
    """Hold a sample message."""
    with raw(body) as message:
        return quarantine.hold(evidence(number, whole(body), sender=sender), message)


def read(quarantine: Quarantine, identifier: str) -> bytes:
    """The stored bytes."""
    with quarantine.open_raw(identifier) as stored:
        return stored.read()


def recovers(attempt: Callable[[], object], within: float = 10.0) -> None:
    """Try until it works."""
    deadline = time.monotonic() + within
    while True:
        try:
            attempt()
        except CustodyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
