"""Whatever must be true across requests and processes: counters, leases, records, messages, and the durable spool.

What the numbers mean (budgets, limits, audit) is the business of plugins.
"""
