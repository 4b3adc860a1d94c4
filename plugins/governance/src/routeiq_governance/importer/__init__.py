"""One-shot import from the database of a LiteLLM proxy. Loaded by its command alone."""
