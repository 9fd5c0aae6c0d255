"""A filter that learns: logistic regression over hashed features of the message, one message after the other.

`reading` makes a set of slots (`features`) out of a parsed message: in the inspector, for it is hostile content.
`weights` weighs and learns such sets, `calibration` turns a margin into a probability, `evaluation` measures. Those are
pure functions of arrays; where weights are kept and who may change them is not decided there.
"""

from filterd.classifier.features import FORMAT, FeatureError, Features, Receiving, load_receiving
from filterd.classifier.reading import features_of
from filterd.classifier.weights import SIZE, Change, empty, learn, margin, probability, undo

__all__ = [
    "FORMAT",
    "SIZE",
    "Change",
    "FeatureError",
    "Features",
    "Receiving",
    "empty",
    "features_of",
    "learn",
    "load_receiving",
    "margin",
    "probability",
    "undo",
]
