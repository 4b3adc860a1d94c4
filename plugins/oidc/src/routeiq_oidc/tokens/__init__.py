"""Tokens: reading them, the keys that verify them, what their claims must say. No people, no HTTP routes."""
