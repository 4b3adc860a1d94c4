"""Finished requests, told to the destinations that LiteLLM's users know."""
