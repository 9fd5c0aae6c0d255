"""[classifier]: the filter that learns."""

from pydantic import model_validator

from filterd.config.fields import Section, key


class Classifier(Section):
    """The filter that learns what is spam here. It says nothing before it has learnt enough (`filterd learn`)."""

    enabled: bool = key(True, "Ask the model about every message, once it has learnt `least` messages of each kind.")
    least: int = key(
        50, "Messages that must have been learnt of spam and of ham each before the model is asked.", "messages", ge=1
    )
    remembered: int = key(
        256 * 1024 * 1024,
        "Features of learnt messages that are kept so that they can be forgotten, some 4 KB each; older lessons stay"
        " learnt.",
        "bytes",
        ge=1_000_000,
    )
    autolearn: bool = key(
        False,
        "Learn by itself from mail that all other checks and the model itself agree about: as much ham as spam, and"
        " little from any one sender.",
    )
    autolearn_spam: float = key(
        12.0, "Score without the classifier's own from which a message may be learnt as spam.", "points"
    )
    autolearn_ham: float = key(
        1.0, "Score without the classifier's own up to which a message may be learnt as ham.", "points"
    )
    shared: int = key(
        20_000,
        "With Redis: lessons kept there for other nodes, some 5 KB each; a node that was away for more begins again"
        " with them.",
        "lessons",
        ge=100,
    )

    @model_validator(mode="after")
    def _apart(self) -> "Classifier":
        if self.autolearn_ham >= self.autolearn_spam:
            raise ValueError("expected autolearn_ham < autolearn_spam")
        return self
