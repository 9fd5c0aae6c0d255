"""A scanner behind ICAP (RFC 3507), asked about whole messages as if each were a web page (RESPMOD) or an upload.

`request` and `response` are the protocol without a socket, `verdict` says what an answer means, `exchange` does one
exchange over a socket, `pool` keeps connections and what OPTIONS has said. A message is sent with a preview where the
service wants one; 204 says that nothing is to be changed, which is how a scanner says clean. A service may also send
the message back: unchanged it is clean. It has found something where it names it or gives back anything else.

Known deviations: no TLS, no 206 (draft-icap-ext-partial-content), and what a service wants to be told about clients
(X-Include) is not told. A chunked answer is read no further than it agrees with what was sent.
"""

from filterd.icap.exchange import options
from filterd.icap.pool import IcapPool

__all__ = ["IcapPool", "options"]
