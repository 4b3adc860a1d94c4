"""Signing in with a browser: the code flow, the session, its cookie. Verifying tokens is done in `tokens`."""
