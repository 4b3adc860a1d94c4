"""Processes, sockets and engines: what carries the ASGI application. Nothing here knows what a request means.

Start reading at `supervisor.serve`.
"""
