"""The destinations, one module a kind."""
