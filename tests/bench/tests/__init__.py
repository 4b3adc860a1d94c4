"""Tests of the benchmark's own parts: parsing, accounting, verdicts, tables, the mock upstream.
No test here depends on how fast anything is."""
