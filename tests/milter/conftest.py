"""A front of fakes for the milter's unit tests; a daemon of their own for those over the wire."""

from collections.abc import Iterator

import pytest

from tests.milter.wire import internet
from tests.pipeline.conftest import front, gate, log, loop
from tests.support.daemon import Filterd, Settings
from tests.support.dnsserver import DnsServer
from tests.support.process import open_folder

__all__ = ["front", "gate", "log", "loop"]  # fixtures


@pytest.fixture(scope="package")
def daemon() -> Iterator[Filterd]:
    """One filterd for all tests of the wire protocol, with a DNS server that knows the tests' small Internet."""
    with open_folder() as folder, DnsServer(internet()) as dns:
        settings: Settings = {
            "milter": {"workers": 1},
            "dns": {"nameservers": [f"127.0.0.1:{dns.port}"]},
            "metrics": {"listen": f"unix:{folder}/metrics.sock"},
        }
        with Filterd(folder, settings) as filterd:
            yield filterd
