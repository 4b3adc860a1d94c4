"""Features without a download for the rivals: hashed words and word pairs, weighted and projected to 256 dimensions.
Our own text features are the plugin's; these only keep the comparison on one footing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.feature_selection import VarianceThreshold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from bench.routers.recipe import Features

BUCKETS = 2**15
DIMENSIONS = 256


@dataclass
class TextFeatures:
    """Fitted on training texts only; unit length."""

    _pipeline: Any = field(init=False, default=None, repr=False)

    def fit(self, texts: Sequence[str], seed: int) -> TextFeatures:
        words = HashingVectorizer(n_features=BUCKETS, ngram_range=(1, 2), alternate_sign=False, norm=None)
        used = VarianceThreshold()  # most buckets stay empty with few texts, and the projection pays for each
        weights = TfidfTransformer(sublinear_tf=True)
        projection = TruncatedSVD(n_components=min(DIMENSIONS, len(texts) - 1), n_iter=2, random_state=seed)
        self._pipeline = make_pipeline(words, used, weights, projection, Normalizer()).fit(texts)
        return self

    def transform(self, texts: Sequence[str]) -> Features:
        return np.asarray(self._pipeline.transform(texts), dtype=np.float32)
