"""From claims to a person or service of this gateway. No cryptography, no HTTP routes."""
