"""The agent and the tour of it."""
