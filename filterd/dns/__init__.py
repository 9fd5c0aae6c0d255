"""DNS lookups: a stub resolver, its cache, plans that run on it, a fake and a recording that stand for it."""
