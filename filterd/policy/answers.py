"""What Postfix may be told: a closed list of words, and one line of text that holds nothing of a message."""

from enum import StrEnum
from typing import Final

from filterd.model.verdict import MAX_REPLY_TEXT, Action, SmtpReply, Verdict


class Word(StrEnum):
    """All words that are ever sent. OK is none of them: it would end the restrictions that stand behind this one."""

    DUNNO = "DUNNO"
    DEFER_IF_PERMIT = "DEFER_IF_PERMIT"  # 4xx, unless a later restriction refuses for good (THREATS POL-06)
    REFUSE = "550"  # a reply code: the client is told what the milter would tell it


_WORDS: Final = {
    Action.REJECT: Word.REFUSE,
    Action.DEFER: Word.DEFER_IF_PERMIT,
    Action.GREYLIST: Word.DEFER_IF_PERMIT,
}
_CLASSES: Final = {Word.REFUSE: "5", Word.DEFER_IF_PERMIT: "4"}


def encode(word: Word, reply: SmtpReply | None = None) -> bytes:
    """The answer on the wire. ValueError where word and reply do not go together."""
    if word is Word.DUNNO:
        return b"action=DUNNO\n\n"
    if reply is None or not reply.enhanced.startswith(_CLASSES[word]):
        raise ValueError(f"{word.value} needs a reply of class {_CLASSES[word]}")
    return f"action={word.value} {reply.enhanced} {_line(reply.text)}\n\n".encode("ascii")


def answer(verdict: Verdict) -> bytes:
    """The answer that carries a verdict out; whatever needs no refusal now is left to what stands behind us."""
    word = _WORDS.get(verdict.action, Word.DUNNO)
    return encode(Word.DUNNO) if verdict.reply is None else encode(word, verdict.reply)


def _line(text: str) -> str:
    """One line of printable ASCII: SmtpReply is nothing else, and this is the last place to make sure."""
    return "".join([c if c.isascii() and c.isprintable() else "?" for c in text])[:MAX_REPLY_TEXT]
