"""Routing while the gateway serves: loading artifacts, embedding prompts, deciding, learning from feedback.

Nothing here trains a router from data.
"""
