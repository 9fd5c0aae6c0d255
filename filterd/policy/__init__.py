"""Postfix' policy service: asked at RCPT, before any content, by a protocol of name=value lines.

- `codec` is sans-I/O: bytes in, `Request`s out, and answers as bytes. Any bytes in any chunks give the same requests or
  a `PolicyProtocolError`, never another error (THREATS POL-01, POL-02).
- `answers` turns a verdict into one of a closed list of words: never OK, which would end the MTA's own restrictions and
  could open a relay (POL-04, POL-05); DEFER_IF_PERMIT, so that what a later restriction refuses is refused (POL-06).
- `service` makes the early checks with the milter's own transaction and cache, once for each message (`instance`), and
  once for a burst of them (`known`).
- `connection` and `server` run in a front's loop: many requests on a connection, one at a time.
- `listener` is the socket, opened by the supervisor before it forks.

Where anything goes wrong there is no answer: the connection is closed, Postfix asks once more and then tells its client
451 by itself (POL-03). The reference is Postfix' SMTPD_POLICY_README.
"""
