"""Prometheus metrics: LiteLLM's names and RouteIQ's own. The plugin is in `plugin`; nothing is loaded here."""
