"""Routing that learns: strategies trained on recorded outcomes, kept as signed artifacts, explained at each decision.

The plugin class is loaded by its entry point; nothing heavy is imported here.
"""
