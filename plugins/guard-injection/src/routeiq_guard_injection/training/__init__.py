"""How the classifier is trained, on synthetic data that a grammar in this folder writes. Needs the extra `train`.

Nothing here is imported when a gateway runs.
"""
