"""How providers are spoken to: one codec a wire, the adapter for the many, and the exchange over HTTP."""
