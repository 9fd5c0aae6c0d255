"""clamd, asked about whole messages: its INSTREAM command over a unix socket or TCP (clamd(8), COMMANDS).

The message goes from its descriptor into the socket by sendfile, in a thread of a pool of its own, while the inspector
reads it. A scanner that is down, slow, refuses or says what nobody understands has said nothing: never that a message
is clean. After a row of failures nobody waits for it, but one message a second that tries; a message that it takes too
long for, or hangs up on, is no such failure while it answers PING, or a few messages could turn it off for all others.
"""

from filterd.clamd.pool import ClamdPool
from filterd.clamd.wire import ClamdError, ClamdRefusedError, instream, ping, read_reply

__all__ = ["ClamdError", "ClamdPool", "ClamdRefusedError", "instream", "ping", "read_reply"]
