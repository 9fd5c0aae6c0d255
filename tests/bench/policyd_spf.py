"""Debian's policyd-spf, asking another name server: `/usr/bin/python3 policyd_spf.py PORT CONFIG`.

Started as spawn(8) starts it: requests on standard input, answers on standard output, until the peer closes. It is run
by the interpreter that the package is installed for, and imports nothing of this project.
"""

import importlib
import sys


def main() -> int:
    """Point its DNS library, whichever of the two it has found, to 127.0.0.1:PORT, then be policyd-spf."""
    port, config = int(sys.argv[1]), sys.argv[2]
    spf = importlib.import_module("spf")
    if spf.DNSLookup is getattr(spf, "DNSLookup_pydns", None):
        importlib.import_module("DNS").defaults.update(server=["127.0.0.1"], port=port)
    else:
        resolver = importlib.import_module("dns.resolver").get_default_resolver()
        resolver.nameservers, resolver.port = ["127.0.0.1"], port
    sys.argv = ["policyd-spf", config]
    importlib.import_module("spf_engine.policyd_spf").main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
