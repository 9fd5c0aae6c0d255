"""The front's side of inspection: start the nursery, keep a pool of inspectors, remember messages that kill them.

The thread that needs the facts speaks to the inspector itself: no other thread stands between, for a hop costs more
than the whole exchange. What goes wrong is an `InspectorFailure`, and for the caller that is always "unknown":

    InspectorFailure
    +-- InspectorBusy       no inspector free in time: the message's inspection never began
    +-- InspectorDied       it ended while it had the message
    +-- InspectorTimeout    it had to be killed: deadline or CPU limit
    +-- InspectorCrashed    an exception of ours got out of it

All but the first count against the message (`PoisonLedger`): one that ends two inspectors is held unread.
"""

from filterd.inspectors.failures import (
    InspectorBusy,
    InspectorCrashed,
    InspectorDied,
    InspectorFailure,
    InspectorTimeout,
)
from filterd.inspectors.nursery import NurseryProcess, start_nursery
from filterd.inspectors.poison import PoisonLedger
from filterd.inspectors.pool import InspectorPool
from filterd.ipc.messages import NurserySettings, SandboxLevel

__all__ = [
    "InspectorBusy",
    "InspectorCrashed",
    "InspectorDied",
    "InspectorFailure",
    "InspectorPool",
    "InspectorTimeout",
    "NurseryProcess",
    "NurserySettings",
    "PoisonLedger",
    "SandboxLevel",
    "start_nursery",
]
