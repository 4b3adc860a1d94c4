"""Tokens for upstreams in the caller's name, in every mode."""
