"""What the operator knows to be bad, as data: files by SHA-256, links, hosts and e-mail addresses, each with a reason.

Every entry has an owner who answers for it and a last day on which it counts: a list that only grows is read by nobody.
"""

from filterd.indicators.entries import Entry, Indicators, Kind
from filterd.indicators.forms import address_form, host_forms
from filterd.indicators.loading import load_indicators

__all__ = ["Entry", "Indicators", "Kind", "address_form", "host_forms", "load_indicators"]
