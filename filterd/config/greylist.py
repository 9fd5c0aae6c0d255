"""[greylist]: when who is told to come again may pass."""

from pydantic import model_validator

from filterd.config.fields import Section, key


class Greylist(Section):
    """When mail passes that was greylisted; which mail is says `[actions] greylist`. See docs/greylisting.md."""

    delay: int = key(300, "How long after the first attempt a retry passes at the earliest.", "s", ge=1, le=86_400)
    window: int = key(
        86_400,
        "How long after the first attempt a retry still counts as one; MTAs try for days, but first after minutes or"
        " hours.",
        "s",
        ge=60,
        le=7 * 86_400,
    )
    lifetime: int = key(
        35 * 86_400,
        "How long after its last message a sender that came back is known and passes at once; longer than the pause"
        " between two monthly mailings.",
        "s",
        ge=3600,
        le=366 * 86_400,
    )
    early: bool = key(
        True,
        "Greylist before the content too, where the score of the early checks reaches `early_score`: by the policy"
        " service, or by the milter where that gives early verdicts.",
    )
    early_score: float | None = key(
        None, "That score, below `[actions] quarantine`; absent: `[actions] greylist`.", "points", gt=0
    )

    @model_validator(mode="after")
    def _passable(self) -> "Greylist":
        if self.window <= self.delay:
            raise ValueError("expected a window longer than the delay: else no retry would ever pass")
        return self
