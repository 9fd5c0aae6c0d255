"""The classifier beside bogofilter and rspamd's Bayes (Debian's packages): the same split, the same mail.

    python -m tests.bench.classifier_peers INDEX [--sources NAME ...] [--train N] [--seeds N] [--peers NAME ...]

All three are shown the same bytes: messages without the fields of rules/classifier.toml and without the addresses of
their recipients, which would tell where a message was collected. Each learns N ham and N spam in one mixed order
(0: half of all), and judges the rest without learning. rspamd learns with "Learn-Type: bulk", for it would refuse
what it knows already; of its result only the symbols of Bayes count, and those
from the 20th message of each kind on.
"""

import argparse
import http.client
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from filterd.classifier import empty, learn, margin
from filterd.classifier.evaluation import Measures, measures
from tests.bench.classifier_mail import Mail, features, parted, read_mail
from tests.bench.rspamd import CONFIGURATION, RspamdTarget
from tests.support.process import Process, free_port
from tests.support.redis import RedisServer

WEIGHTS = {"BAYES_SPAM": 5.1, "BAYES_HAM": -3.0}  # of rspamd's scores: what a symbol has of it says how sure it is
START_SECONDS = 120.0  # the first start compiles expressions
BULK = 200  # files that bogofilter is given at once

Filter = Callable[[Sequence[Mail], Sequence[Mail]], list[float]]


def filterd(train: Sequence[Mail], test: Sequence[Mail]) -> list[float]:
    """Margins."""
    weights = empty()
    for one, found in zip(train, features(train), strict=True):
        learn(weights, found, spam=one.spam)
    return [margin(weights, found) for found in features(test)]


def bogofilter(train: Sequence[Mail], test: Sequence[Mail]) -> list[float]:
    """Its spamicity."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = _written(folder, [*train, *test])
        for one, path in zip(train, paths, strict=False):
            subprocess.run(["bogofilter", "-d", name, "-s" if one.spam else "-n", "-I", path], check=True)
        scores: list[float] = []
        for start in range(len(train), len(paths), BULK):
            argv = ["bogofilter", "-d", name, "-TT", "-B", *paths[start : start + BULK]]
            done = subprocess.run(argv, check=False, capture_output=True, text=True)
            scores += [float(line.split()[-1]) for line in done.stdout.splitlines()]
    return scores


def _written(folder: Path, mail: Sequence[Mail]) -> list[str]:
    paths = []
    for number, one in enumerate(mail):
        path = folder / f"{number}.eml"
        path.write_bytes(one.shown.replace(b"\r\n", b"\n"))
        paths.append(str(path))
    return paths


class Rspamd(RspamdTarget):
    """Its controller alone, which learns and scans."""

    def __init__(self, folder: Path) -> None:
        """Write its configuration; nothing answers its DNS questions."""
        self._port = free_port()
        self._folder = folder
        self._log = folder / "log" / "rspamd.log"
        self._redis = RedisServer(folder, "512mb")
        self._server: Process | None = None
        settings = {
            "options.inc": 'dns { nameserver = ["127.0.0.1:9"]; timeout = 0.01s; retransmits = 1; }\n',
            "redis.conf": f'servers = "{folder}/r.sock";\n',
            "classifier-bayes.conf": "min_learns = 20;\n",  # of each kind; its default is 200
            "greylist.conf": "enabled = false;\n",  # it would answer before Bayes is asked
            "worker-normal.inc": "enabled = false;\n",
            "worker-proxy.inc": "enabled = false;\n",
            "worker-controller.inc": f'bind_socket = "127.0.0.1:{self._port}";\nsecure_ip = "127.0.0.1";\ncount = 1;\n',
        }
        for name in ("conf/override.d", "db", "run", "log"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name, text in settings.items():
            (folder / "conf" / "override.d" / name).write_text(text)
        folder.chmod(0o755)

    def _ready(self) -> bool:
        try:
            return self.ask("GET", "/ping", b"").strip() == b"pong"
        except OSError:
            return False

    def ask(self, method: str, path: str, body: bytes, **headers: str) -> bytes:
        """One request to the controller."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            return connection.getresponse().read()
        finally:
            connection.close()


def rspamd(train: Sequence[Mail], test: Sequence[Mail]) -> list[float]:
    """What its Bayes says, from -1 to 1."""
    scores = []
    refused = 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="filterd-")))
        server = stack.enter_context(Rspamd(folder))
        for one in train:
            answer = server.ask("POST", "/learnspam" if one.spam else "/learnham", one.shown, Learn_Type="bulk")
            refused += b"true" not in answer
        for one in test:
            symbols = json.loads(server.ask("POST", "/checkv2", one.shown, Pass="all")).get("symbols", {})
            scores.append(
                sum([symbols[name]["score"] / abs(most) for name, most in WEIGHTS.items() if name in symbols])
            )
    if refused:
        sys.stdout.write(f"rspamd refused to learn {refused} of {len(train)}\n")
    return scores


FILTERS: dict[str, Filter] = {"filterd": filterd, "bogofilter": bogofilter, "rspamd": rspamd}


def main() -> int:
    """Compare, and print one line for each filter and seed, and the means."""
    parser = argparse.ArgumentParser(description="The classifier beside its peers.")
    parser.add_argument("index", type=Path)
    parser.add_argument("--sources", nargs="*", default=[])
    parser.add_argument("--train", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--peers", nargs="*", default=["bogofilter", "rspamd"], choices=list(FILTERS))
    options = parser.parse_args()
    missing = [name for name in options.peers if name != "filterd" and shutil.which(name) is None]
    if missing or ("rspamd" in options.peers and not CONFIGURATION.exists()):
        sys.stderr.write(f"not installed: {' '.join(missing) or 'rspamd'}; apt-get install bogofilter rspamd\n")
        return 1
    mail = read_mail(options.index, options.sources)
    found: dict[str, list[Measures]] = {}
    for seed in range(1, options.seeds + 1):
        train, test = parted(mail, options.train, seed)
        for name in ["filterd", *options.peers]:
            start = time.perf_counter()
            scores = FILTERS[name](train, test)
            measured = measures(scores, [one.spam for one in test])
            found.setdefault(name, []).append(measured)
            _line(f"{name} seed {seed}", [measured], time.perf_counter() - start)
    for name, several in found.items():
        _line(f"{name} mean", several, None)
    return 0


def _line(name: str, several: Sequence[Measures], seconds: float | None) -> None:
    many = len(several)
    auc = sum([one.one_minus_auc_percent for one in several]) / many
    few = sum([one.recall_at_fpr_0_1_percent for one in several]) / many
    some = sum([one.recall_at_fpr_1_percent for one in several]) / many
    took = f"  {seconds:6.1f} s" if seconds is not None else ""
    sys.stdout.write(f"{name:20} (1-AUC) {auc:7.4f} %  recall {few:6.2f} % at 0.1 %, {some:6.2f} % at 1 %{took}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
