"""The checks: one thin module each, front side. A check reports, it never decides."""
