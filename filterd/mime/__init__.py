"""Raw bytes to header fields, a flat list of parts, and everything that may be read in more than one way.

RFC 5322 (header), RFC 2045/2046 (MIME), RFC 2047 (encoded words), RFC 2231 (parameters), RFC 2183 (disposition).

The message is walked once, front to back, for all boundaries at the same time: lines that begin with two dashes are
looked up in the table of open boundaries, so time is linear in the bytes whatever the nesting. Bodies are slices of
one memoryview; nothing is decoded before somebody asks for it.

A mail client is not asked to agree with us. Where two plausible readings of the same bytes exist (two boundaries, two
transfer encodings, several file names) all of them are kept: contents under each are handed out to be scanned, and a
disagreement that changes what a person would get is a finding AMBIGUOUS_*. What cannot be read within the limits is a
finding UNSCANNABLE_*. No input raises.

What is text to most readers may still hold files and parts: embedded.py finds files written into it (uuencode, yEnc,
BinHex, bare base64), macintosh.py and smime.py open wrappers, buried.py reads part headers that nobody declared.

Deviations, on purpose: bare LF ends a line as CRLF does; trailing blanks after a boundary are ignored; a part header
may hold lines without a colon, which are skipped; base64 and quoted-printable are decoded as leniently as the most
lenient client.
"""
