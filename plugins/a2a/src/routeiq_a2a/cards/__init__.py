"""Agent cards: fetched, verified, rewritten to the gateway's address, signed and served."""
