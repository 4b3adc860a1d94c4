"""The floors: the least an ASGI application on Hypercorn can do, alone and as a relay.
Started as `python -m bench.apps.serve`; no gateway feature belongs here."""
