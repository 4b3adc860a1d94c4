"""The tour of the skills."""
