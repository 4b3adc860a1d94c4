"""The example of governance: a team, a budget, keys, a refusal, a ledger."""
