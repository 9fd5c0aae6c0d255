"""What the ICAP service said of a message."""

from filterd.checks.scanner import ScannerCheck


class IcapCheck(ScannerCheck):
    """Names what the ICAP service has found."""

    name = "icap"
    symbol = "ICAP_VIRUS"
