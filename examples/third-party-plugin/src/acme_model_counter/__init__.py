"""Counts finished requests by model. The gateway loads the plugin by its entry point."""

from acme_model_counter.plugin import ModelCounter, ModelCounterConfig

__all__ = ["ModelCounter", "ModelCounterConfig"]
