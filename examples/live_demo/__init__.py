"""The parts of the demo. `environment` runs on a bare Python; everything else runs in the environment that it makes.

No product code: the gateway that is shown is the installed one, started as a process and spoken to over HTTP.
"""
