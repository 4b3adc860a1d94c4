"""The gateway's tools in chat requests."""
