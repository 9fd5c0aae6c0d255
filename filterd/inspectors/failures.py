"""Why a message could not be inspected."""


class InspectorFailure(Exception):  # noqa: N818  # the words of the verdict's vocabulary
    """The facts about this message are unknown. The text is for the log."""


class InspectorBusy(InspectorFailure):
    """No inspector was free within the time allowed, or too many callers wait already."""


class InspectorDied(InspectorFailure):
    """The inspector ended while it had the message, or answered what is no answer."""


class InspectorTimeout(InspectorFailure):
    """The inspector overran its deadline or its CPU limit and is dead."""


class InspectorCrashed(InspectorFailure):
    """An exception left the inspection: our bug, met by this message."""
