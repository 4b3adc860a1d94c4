"""Routers side by side on recorded outcomes: re-created rivals, ours, the protocol, the studies and the bars.
Nothing here is imported by a plugin, and nothing is trained for use."""
