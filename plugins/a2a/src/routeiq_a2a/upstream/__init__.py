"""Calling agents: over the gateway's egress, in the version and binding that their card names."""
