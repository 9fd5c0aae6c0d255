"""Scanners of other makes, asked about whole messages while the inspector reads them: what all of them have in common.

A scanner that is down, slow, refuses or says what nobody understands has said nothing: never that a message is clean.
Each is asked in threads of a pool of its own, over a socket that is given up at the message's deadline. After a row of
failures nobody waits for it, but one message a second that tries; a message that it takes too long for, or hangs up on,
is no such failure while the scanner otherwise answers, or a few messages could turn it off for all others.
"""

from filterd.scanners.pool import ScannerPool
from filterd.scanners.sockets import ScannerError, ScannerRefusedError

__all__ = ["ScannerError", "ScannerPool", "ScannerRefusedError"]
