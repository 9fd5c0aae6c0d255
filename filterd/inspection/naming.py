"""Names of streams as rules and reports take them."""

from typing import Final

MAX_PATH: Final = 500  # characters of a path: members of members have long names


def first(names: tuple[str, ...]) -> str:
    """The likeliest name, empty where there is none."""
    return names[0] if names else ""


def clean(text: str) -> str:
    """Text that YARA takes: bounded, without lone surrogates or NUL."""
    short = text[:MAX_PATH]
    if short.isascii() and "\0" not in short:
        return short
    return short.replace("\0", "").encode("utf-8", "replace").decode()
