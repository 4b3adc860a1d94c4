"""The command line of governance, a client of the management API."""
