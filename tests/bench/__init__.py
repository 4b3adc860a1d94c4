"""The gateway benchmark: contenders side by side on one core, judged by CPU per request.
Run it with `python tests/bench/run.py NAME`. Nothing here is imported by the product or its tests."""
