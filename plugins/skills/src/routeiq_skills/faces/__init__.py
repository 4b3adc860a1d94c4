"""The ways in which the snapshot is served: discovery over HTTP, and MCP.

Nothing is read from a disk here.
"""

from __future__ import annotations
