"""Keys and members as bytes. Parts of them come out of mail, so any str must pass, lone surrogates included."""

from filterd.model.store import StoreError


def encoded(text: str) -> bytes:
    """UTF-8, surrogates kept: two different strings never become the same key."""
    return text.encode("utf-8", "surrogatepass")


def decoded(data: bytes) -> str:
    """The reverse of `encoded`; StoreError where somebody else wrote what we never would."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise StoreError("the store holds a member that is not text") from error
