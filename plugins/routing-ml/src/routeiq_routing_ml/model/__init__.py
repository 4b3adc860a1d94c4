"""A learned router as one value: space, scorer, calibration, costs, doubt and settings, and what it predicts.

Training it is `training`'s business, serving it `serving`'s, keeping it `artifact`'s.
"""
