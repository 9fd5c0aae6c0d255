"""Forking so that parent and child go on sharing their memory."""

import gc
import os
import sys


def fork() -> int:
    """os.fork, with everything that exists kept out of later collections: 0 in the child.

    A collection writes into the head of every object that it looks at. Of a child's first one nearly all that it has
    from its parent would become a copy of its own: 20 MB of each front.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    gc.freeze()  # in the parent, for good: it makes no circles but by a reload that fails
    return os.fork()
