"""The gateway's HTTP routes: the table, and the handlers that are not the road itself."""
