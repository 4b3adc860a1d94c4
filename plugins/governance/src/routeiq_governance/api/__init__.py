"""The management routes, in LiteLLM's shapes."""
