"""What the client is told: codes by reason (RFC 3463, RFC 7372), texts from the configuration. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from filterd.config import Replies as Texts
from filterd.model.ids import public_id
from filterd.model.verdict import MAX_REPLY_TEXT, Action, SmtpReply
from filterd.pipeline.reasons import Reason

# RFC 7372 3.1 to 3.4: 5.7.20 no signature passes, 5.7.21 none that is acceptable, 5.7.23 SPF failed, 5.7.24 its record
# is broken, 5.7.25 no reverse name, 5.7.26 several authentication checks failed (DMARC is SPF and DKIM);
# RFC 3463 3.8: 5.7.1 refused by policy.
_REJECTED: Final[Mapping[str, str]] = {
    "dmarc-reject": "5.7.26",
    "dmarc-quarantine": "5.7.26",
    "dmarc-fail": "5.7.26",
    "spf-fail": "5.7.23",
    "spf-softfail": "5.7.23",
    "spf-permerror": "5.7.24",
    "dkim-none": "5.7.20",
    "dkim-fail": "5.7.20",
    "dkim-permerror": "5.7.20",
    "dkim-policy": "5.7.21",
    "iprev-fail": "5.7.25",
    Reason.AUTHENTICATION: "5.7.26",
    Reason.CLIENT_NAME: "5.7.25",
}
# RFC 3463 3.4: 4.3.0 is our own trouble, 4.7.1 a policy that asks the client to come again.
_DEFERRED: Final[Mapping[str, str]] = {
    Reason.CUSTODY: "4.3.0",
    Reason.INSPECTION_FAILED: "4.3.0",
    Reason.CHECK_CRASHED: "4.3.0",
}


@dataclass(frozen=True, slots=True)
class Replies:
    """The replies to refusals; never anything from the message in them."""

    texts: Texts

    def reply(self, action: Action, code: str, message_id: str) -> SmtpReply | None:
        """The reply for an action and its machine reason, or None where the client is told 250."""
        if action is Action.REJECT:
            enhanced, template = _REJECTED.get(code, "5.7.1"), self._refusal(code)
            return SmtpReply(550, enhanced, self._text(template, message_id))
        if action in {Action.DEFER, Action.GREYLIST}:
            return SmtpReply(451, _DEFERRED.get(code, "4.7.1"), self._text(self._later(action, code), message_id))
        return None

    def _refusal(self, code: str) -> str:
        if code in _REJECTED:
            return self.texts.reject_authentication
        return self.texts.reject_listed if code == Reason.LISTED else self.texts.reject

    def _later(self, action: Action, code: str) -> str:
        if action is Action.GREYLIST:
            return self.texts.greylist
        return self.texts.limited if code == Reason.RATE_LIMITED else self.texts.defer

    def _text(self, template: str, message_id: str) -> str:
        text = self.texts.fill(template, public_id(message_id))
        # The configuration was checked; what a reply may not hold could only be a bug, and must not become a 451.
        return "".join(c if c.isascii() and c.isprintable() else "?" for c in text)[:MAX_REPLY_TEXT]
