"""Regular expressions of an operator's own, as data: rules/regex/*.toml, over header fields, subject, text and links.

A file declares rules (`declarations`), each under a symbol that begins with "REGEX_", with weight, description and what
it must and must not match beside it. RE2 asks all patterns of one target in one pass over the text, in linear time
whatever they are (`engine`). A file that is broken is reported and left out whole; the others stay in force.
"""
