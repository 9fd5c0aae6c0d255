"""What clamd said of a message."""

from filterd.checks.scanner import ScannerCheck


class ClamdCheck(ScannerCheck):
    """Names what clamd has found."""

    name = "clamd"
    symbol = "CLAMD_VIRUS"
