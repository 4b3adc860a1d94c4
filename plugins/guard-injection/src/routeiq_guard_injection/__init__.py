"""Prompt injection, for RouteIQ: heuristics, a small classifier, canary tokens, tool results."""
