"""What the model says of one message, in the inspector."""

import math

from filterd.classifier.explain import lines, top_features
from filterd.classifier.features import Features
from filterd.classifier.layer import LEAST, correction, key_of
from filterd.classifier.modelfile import Half, Known, Model
from filterd.classifier.views import Text
from filterd.classifier.weights import margin, probability
from filterd.model.inspection import Classified


class Judge:
    """Holds the mapped model. One for all messages of an inspector."""

    def __init__(self, model: Model, least: int) -> None:
        """`least` messages of each kind must have been learnt before the model is asked."""
        self._model = model
        self._least = least

    def ready(self) -> bool:
        """Whether enough has been learnt to be asked: features need not be made before."""
        return bool(self._model.read(lambda _, known: min(known.spam, known.ham) >= self._least))

    def classify(self, features: Features, domain: str = "") -> Classified | None:
        """The model's opinion for a recipient domain; None where it has learnt too little or could not be read."""

        def weigh(half: Half, known: Known) -> Classified | None:
            if min(known.spam, known.ham) < self._least:
                return None
            found = margin(half.weights, features)
            key = key_of(domain)
            own = correction(half.layer, features, key) if min(known.domains.get(key, (0, 0))) >= LEAST else 0.0
            return Classified(found + own, probability(found + own), own, known.id, known.spam, known.ham)

        found = self._model.read(weigh)
        return found if found is not None and math.isfinite(found.margin) else None

    def reasons(self, text: Text, most: int) -> tuple[str, ...]:
        """The features of a message that weighed most, for a person; none where the model could not be read."""
        return self._model.read(lambda half, _: tuple(lines(top_features(half.weights, text, most)))) or ()
