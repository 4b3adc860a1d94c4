"""What lies in this Python's environment and must not: refused releases, and code that runs at each start of Python.

Plugins are found, allowed and locked in `plugins`; nothing here imports what it judges.
"""
