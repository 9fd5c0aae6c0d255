"""YARA: rule files into one compiled set, and a set over one stream of bytes.

A team's rules must not disarm each other: every file is first compiled and tried alone (`check`); a broken or slow one
is reported by file and line and replaced by what it was when it was last good, or left out; the good ones become one
set with a namespace per file, so that a stream is scanned once (`compile`). `include` is off (it would read any path),
modules are allow-listed, and a compiled file from elsewhere is never loaded: loading one runs it. The set is kept in a
cache of our own (`cache`), keyed by all that went into it and checksummed.

Rules see what is known of a stream as external variables (`externals`). A scan is bounded in time; where one rule
takes it all, the others are asked again without it (`engine`). Only the inspector's side imports this package.
"""
