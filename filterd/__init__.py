"""filterd: a mail filter beside Postfix or Sendmail.

One message's way through the packages is told in docs/message-flow.md; who may import whom stands in pyproject.toml.
"""

__version__ = "0.1.0"
