"""The parts of the example: asking through the gateway, training, and showing what came of it.

No product code: gateway and trainer are the installed ones, run as processes.
"""
