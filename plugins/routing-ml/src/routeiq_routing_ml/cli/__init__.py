"""`routeiq route`: the command line of learned routing, one file a command. Heavy imports happen inside commands.

What a command does is the business of `training`, `artifact` and `serving`.
"""
