"""The keepers of sealed objects, one module a kind."""
