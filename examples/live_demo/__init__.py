"""The parts of the demo, and what all examples share. `environment` and `example` run on a bare Python; everything else
runs in the environment that is made.

No product code: the gateway that is shown is the installed one, started as a process and spoken to over HTTP.
"""
