"""Router artifacts: signed folders of arrays with a manifest. Made by `writer` and loaded by `loader` alone.

What the arrays mean is the business of the scorers.
"""
