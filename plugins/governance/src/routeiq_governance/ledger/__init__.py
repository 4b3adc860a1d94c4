"""What was used: entries, postings, their way to the database, and reports."""
