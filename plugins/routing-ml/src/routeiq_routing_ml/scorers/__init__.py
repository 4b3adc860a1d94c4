"""From a prompt's vector to a quality for each model: one file a strategy, behind one small interface (`base`).

What a quality is worth against a cost is decided in `policy`.
"""
