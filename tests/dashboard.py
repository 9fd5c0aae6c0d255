"""The dashboard's panels as a picture for the documents: python -m tests.dashboard docs/dashboard.svg.

A daemon judges mail for a while, a private Prometheus scrapes it, every panel's questions are put to that Prometheus
as Grafana puts them, and what it answers is drawn.
"""

import json
import random
import re
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.milter.wire import greeted, internet, mail
from tests.support.daemon import Filterd, Settings
from tests.support.dnsserver import DnsServer
from tests.support.process import Process, free_port, open_folder, require_program
from tests.support.world import GOOD, LISTED, STRANGER, message

BOARD: Final = Path(__file__).resolve().parents[1] / "deploy" / "grafana" / "filterd.json"
SECONDS: Final = 90  # of mail; a rate needs some scrapes
WINDOW: Final = "15s"  # what Grafana would put for $__rate_interval
STEP: Final = 2  # seconds between two points
COLUMNS: Final = 3
_SCRAPES: Final = """
global: {{ scrape_interval: 1s }}
scrape_configs:
  - job_name: filterd
    static_configs: [{{ targets: ["127.0.0.1:{port}"] }}]
  - job_name: filterd-fronts
    metrics_path: /metrics/fronts
    static_configs: [{{ targets: ["127.0.0.1:{port}"] }}]
"""


@contextmanager
def prometheus(folder: Path, port: int) -> Iterator[str]:
    """A server that scrapes this port; its address."""
    require_program("prometheus")
    (folder / "prometheus.yml").write_text(_SCRAPES.format(port=port))
    own = free_port()
    argv = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"]
    server = Process([*argv, f"--web.listen-address=127.0.0.1:{own}"], folder / "prometheus.log")
    try:
        server.wait_ready(lambda: _ready(own))
        yield f"http://127.0.0.1:{own}"
    finally:
        server.stop()


def _ready(port: int) -> bool:
    try:
        return bool(_get(f"http://127.0.0.1:{port}/-/ready"))
    except OSError:
        return False


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  # the server that was started here
        found: bytes = answer.read()
    return found


def asked(address: str, expression: str, start: float, end: float) -> list[Mapping[str, Any]]:
    """What a panel's question gives over that time."""
    text = expression.replace("$__rate_interval", WINDOW).replace("$instance", ".*").replace("[5m]", f"[{WINDOW}]")
    query = urllib.parse.urlencode({"query": text, "start": start, "end": end, "step": STEP})
    answer = json.loads(_get(f"{address}/api/v1/query_range?{query}"))
    found: list[Mapping[str, Any]] = answer["data"]["result"]
    return found


def work(daemon: Filterd, seconds: float) -> None:
    """Mail of three kinds of clients, more and less of it."""
    rng, until = random.Random(1), time.monotonic() + seconds
    bodies = {
        GOOD: ("alice@aligned.test", "Minutes"),
        STRANGER: ("ceo@strict.test", "Transfer"),
        LISTED: ("a@b.test", "Hi"),
    }
    idle = greeted(daemon)  # as an MTA keeps one
    while time.monotonic() < until:
        pose = rng.choice([GOOD, GOOD, GOOD, STRANGER, LISTED])
        author, subject = bodies[pose]
        with greeted(daemon, pose) as session:
            for _ in range(rng.randint(1, 4)):
                session.message(mail(message(author, f"{subject} {rng.random()}"), author))
        time.sleep(rng.random() * 0.4)
    idle.quit()


def drawn(address: str, panels: list[Mapping[str, Any]], start: float, end: float) -> Any:
    """All panels in one figure."""
    import matplotlib as mpl  # noqa: PLC0415  # slow to load

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415  # the same

    plt.rcParams.update(
        {
            "font.size": 7,
            "svg.hashsalt": "filterd",
            "svg.fonttype": "none",
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )
    rows = -(-len(panels) // COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(13, 2.1 * rows), layout="constrained")
    for panel, axis in zip(panels, axes.flat, strict=False):
        for target in panel["targets"]:
            for series in asked(address, target["expr"], start, end):
                points = [(float(at) - start, float(value)) for at, value in series["values"] if value != "NaN"]
                label = re.sub(r"\{\{(\w+)\}\}", lambda name: series["metric"].get(name[1], ""), target["legendFormat"])  # noqa: B023  # used at once
                if any(value for _, value in points):
                    axis.plot(*zip(*points, strict=True), label=label, linewidth=1)
        axis.set_title(panel["title"], loc="left", fontsize=8, fontweight="bold")
        axis.set_ylim(bottom=0)
        if axis.get_legend_handles_labels()[1]:
            axis.legend(fontsize=5, ncols=2, frameon=False, loc="upper left")
        else:
            axis.text(0.5, 0.5, "all 0", transform=axis.transAxes, ha="center", color="gray")
    for axis in axes.flat[len(panels) :]:
        axis.remove()
    return figure


def main(target: Path) -> None:
    """Draw it."""
    panels = [panel for panel in json.loads(BOARD.read_text())["panels"] if panel["type"] != "row"]
    port = free_port()
    with DnsServer(internet()) as dns, open_folder() as folder:
        settings: Settings = {
            "milter": {"workers": 2},
            "dns": {"nameservers": [f"127.0.0.1:{dns.port}"]},
            "metrics": {"listen": f"inet:{port}@127.0.0.1"},
        }
        with Filterd(folder, settings) as daemon, prometheus(folder, port) as address:
            start = time.time()
            work(daemon, SECONDS)
            figure = drawn(address, panels, start, time.time())
    figure.savefig(target, metadata={"Date": None} if target.suffix == ".svg" else None)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
