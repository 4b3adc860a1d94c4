"""Immutable values that travel along the road: identities, models, choices, attempts, records.

One file a subject; nothing here does I/O.
"""
