"""The external variables that rules may use: names and types, and the values where a caller has none."""

from typing import Final

EXTERNALS: Final[dict[str, str | int]] = {
    # The usual set, which public rule collections expect.
    "filename": "",
    "filepath": "",  # the part's path, "1.2/inner.exe"; "1.2!text" is its text as shown
    "extension": "",
    "filetype": "",  # by content, one of filterd's own words
    "owner": "",
    # The part.
    "part_type": "",  # the declared media type, or "text", "header", "message"
    "depth": 0,
    "size": 0,  # bytes
    # What is known at MAIL.
    "client": "",
    "sender_domain": "",
    "spf": "unknown",
    "first_contact": "unknown",
    "trust": "stranger",
}
