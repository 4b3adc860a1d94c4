"""The bindings towards clients: JSON-RPC and HTTP+JSON, of 1.0 and of 0.3."""
