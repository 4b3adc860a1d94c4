"""The tour of the guards."""
