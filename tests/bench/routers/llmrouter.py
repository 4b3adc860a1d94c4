"""LLMRouter's recipes for kNN, SVM and MLP (github.com/ulab-uiuc/LLMRouter, `llmrouter-lib` 0.4.0) at its defaults.

One label a query: the first model, in the order of its candidate file, that scored highest; the cost has weight 0. Its
Longformer embedding is not part of the recipe: every router of a run gets the same features.
"""

from __future__ import annotations

from collections.abc import Sequence

from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from bench.routers.label_recipe import LabelRecipe


def recipes(order: Sequence[int]) -> list[LabelRecipe]:
    """The three recipes; `order` holds the columns in the order of the candidate file."""
    return [
        LabelRecipe("LLMRouter: kNN k=5", lambda seed: KNeighborsClassifier(n_neighbors=5), order),
        LabelRecipe("LLMRouter: SVM", lambda seed: SVC(kernel="rbf", C=1.0, gamma="scale"), order),
        LabelRecipe("LLMRouter: MLP", mlp, order),
    ]


def mlp(seed: int) -> MLPClassifier:
    return MLPClassifier(
        hidden_layer_sizes=(128, 64),
        activation="relu",
        learning_rate_init=0.001,
        alpha=0.0001,
        batch_size=32,
        max_iter=100,
        random_state=seed,
    )
