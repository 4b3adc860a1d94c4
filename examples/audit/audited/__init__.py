"""The example of the audit trail: questions, a kill, a verification, a forgery, a second verification."""
