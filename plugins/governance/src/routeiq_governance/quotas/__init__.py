"""How much a caller may use: policies, windows, estimates, holds and streams."""
