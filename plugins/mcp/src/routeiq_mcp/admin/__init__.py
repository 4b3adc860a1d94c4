"""Servers that administrators add, change and remove at run time, and tools that they approve."""
