"""Tools over plain HTTP, in LiteLLM's shapes."""
