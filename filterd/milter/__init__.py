"""The milter front: libmilter's callbacks on one side, a Transaction on the other. Nothing else knows pymilter.

libmilter serves one connection from several threads, one at a time; everything about a connection hangs on its
`Session`. No exception leaves a callback (`guard`): behind a no-reply callback libmilter would fall out of step with
the MTA and the client would stall until the MTA's content timeout.

HELO is answered, although it could be a no-reply callback: pymilter decodes its argument as UTF-8 before any of our
code runs, and a failure there sends a reply the MTA would not expect after a no-reply HELO. See decision 003.
"""
