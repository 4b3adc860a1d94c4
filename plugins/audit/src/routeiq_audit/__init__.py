"""A durable, tamper-evident audit trail: events become a signed hash chain in objects that sinks keep."""
