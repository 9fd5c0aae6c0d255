"""Giving a released message back to the MTA, by SMTP to a listener that does not filter."""

import smtplib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

TIMEOUT: Final = 60.0  # seconds for each answer of the MTA
MAX_OUTCOME: Final = 500  # characters of what it said


class Fate(StrEnum):
    """What the MTA made of it."""

    DELIVERED = "delivered"  # it has said 250: the message is its own now
    LATER = "later"  # 4xx, no connection, no answer: try again
    REFUSED = "refused"  # 5xx


@dataclass(frozen=True, slots=True)
class Answer:
    """The MTA's last word, in printable ASCII."""

    fate: Fate
    text: str


@dataclass(frozen=True, slots=True)
class Relay:
    """The listener: where it is, how we call ourselves, how many seconds an answer may take."""

    host: str
    port: int
    name: str
    timeout: float = TIMEOUT

    def deliver(self, sender: str, recipients: Sequence[str], message: bytes) -> Answer:
        """Hand the message over to all recipients or to none. Never raises for what an MTA or a network does.

        LATER behind the final dot can mean that the message was taken: whoever tries again may deliver it twice, and
        the text says so.
        """
        handed = False
        try:
            with smtplib.SMTP(self.host, self.port, self.name, self.timeout) as smtp:
                answer = self._open(smtp, sender, recipients, message)
                if answer is None:
                    handed = True
                    answer = _answer(*smtp.data(message))
                return answer
        except smtplib.SMTPResponseException as error:  # of the greeting, of EHLO, of DATA itself
            return _answer(error.smtp_code, error.smtp_error)
        except (OSError, smtplib.SMTPException, UnicodeError, ValueError) as error:
            doubt = "; it may have been taken nevertheless" if handed else ""
            return Answer(Fate.LATER, f"{type(error).__name__}: {_printable(str(error))}{doubt}"[:MAX_OUTCOME])

    def _open(self, smtp: smtplib.SMTP, sender: str, recipients: Sequence[str], message: bytes) -> Answer | None:
        """The commands before DATA: None where all were taken."""
        smtp.ehlo_or_helo_if_needed()
        options = [f"SIZE={len(message)}"] if smtp.has_extn("size") else []
        if not message.isascii() and smtp.has_extn("8bitmime"):
            options.append("BODY=8BITMIME")
        if not all(address.isascii() for address in (sender, *recipients)):
            if not smtp.has_extn("smtputf8"):
                return Answer(Fate.REFUSED, "the listener does not speak SMTPUTF8, which these addresses need")
            if any(0xD800 <= ord(letter) <= 0xDFFF for address in (sender, *recipients) for letter in address):  # noqa: PLR2004  # lone surrogates
                return Answer(Fate.REFUSED, "an address holds bytes that are no UTF-8")
            smtp.command_encoding = "utf-8"
            options.append("SMTPUTF8")
        code, text = smtp.mail(sender, options)
        if code // 100 != 2:  # noqa: PLR2004  # RFC 5321 4.2.1: the first digit is the class
            return _answer(code, text)
        for recipient in recipients:
            code, text = smtp.rcpt(recipient)
            if code // 100 != 2:  # noqa: PLR2004  # as above
                smtp.rset()
                return _answer(code, text, recipient)
        return None


def _answer(code: int, text: bytes | str, recipient: str = "") -> Answer:
    words = _printable(text.decode("utf-8", "replace") if isinstance(text, bytes) else text)
    about = f"{_printable(recipient)}: " if recipient else ""
    fate = {2: Fate.DELIVERED, 5: Fate.REFUSED}.get(code // 100, Fate.LATER)
    return Answer(fate, f"{about}{code} {words}"[:MAX_OUTCOME])


def _printable(text: str) -> str:
    """One line of printable ASCII."""
    return "".join([letter if " " <= letter <= "~" else "?" for letter in " ".join(text.split())])
