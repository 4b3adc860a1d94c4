"""The life of plugins: discover, allow, load, order, compile, set up, tear down.

No plugin lives here, and no request is handled here.
"""
