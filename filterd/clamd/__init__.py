"""clamd, asked about whole messages: its INSTREAM command over a unix socket or TCP (clamd(8), COMMANDS).

The message goes from its descriptor into the socket by sendfile, in a thread of a pool of its own, while the inspector
reads it (filterd.scanners). PING tells a message that is slow to scan from a clamd that hangs.
"""

from filterd.clamd.pool import ClamdPool
from filterd.clamd.wire import instream, ping, read_reply

__all__ = ["ClamdPool", "instream", "ping", "read_reply"]
