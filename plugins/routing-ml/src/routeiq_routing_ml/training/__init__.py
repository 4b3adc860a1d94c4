"""From a table of recorded outcomes to a learned router, with the figures that say whether it is worth having.

Nothing here runs while the gateway serves.
"""
