"""The contracts: what is sent to each kind of service, and how its answer is read. Pure functions of JSON."""
