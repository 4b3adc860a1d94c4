"""One module a bench, each with a `BENCH`; `bench.registry` finds them here.
Parts that several benches share live one folder up."""
