"""A daemon with two fronts for what must not end it."""

import os
from collections.abc import Iterator

import pytest

from tests.milter.wire import internet
from tests.support.daemon import Filterd, Settings
from tests.support.dnsserver import DnsServer
from tests.support.process import open_folder, wait_until


@pytest.fixture(scope="module")
def dns() -> Iterator[DnsServer]:
    """The tests' small Internet."""
    with DnsServer(internet()) as server:
        yield server


@pytest.fixture(scope="module")
def daemon(dns: DnsServer) -> Iterator[Filterd]:
    """Two fronts; every test leaves it serving."""
    with open_folder() as folder:
        settings: Settings = {
            "milter": {"workers": 2},
            "dns": {"nameservers": [f"127.0.0.1:{dns.port}"]},
            "metrics": {"listen": f"unix:{folder}/metrics.sock"},
        }
        before = os.umask(0)  # the worst that a daemon may inherit
        filterd = Filterd(folder, settings)
        try:
            filterd.start()
        finally:
            os.umask(before)
        wait_until((folder / "state" / "status.json").exists, "its first word of itself")
        yield filterd
        filterd.__exit__(None)
