"""Models, access groups and credentials that are added while the gateway runs."""
