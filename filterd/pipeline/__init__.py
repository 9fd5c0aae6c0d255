"""A message's way from connect to verdict.

`Transaction` collects what the MTA tells and starts checks as early as their inputs are known (`Schedule`, `Runner`);
at end of message it has the content inspected, waits for what is still outstanding within one deadline, and ends in a
`Decision`. `decide` and `edits` are pure; so is everything about trust.
"""
