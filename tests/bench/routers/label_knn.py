"""The kindest form of a best-model label: neighbours vote, and ties of the label go to the model that is best overall.
Shows how much of the loss of label recipes is their tie rule."""

from __future__ import annotations

from sklearn.neighbors import KNeighborsClassifier

from bench.routers.label_recipe import LabelRecipe

NEIGHBOURS = 5


def recipe() -> LabelRecipe:
    return LabelRecipe(
        f"label kNN k={NEIGHBOURS}, kindest ties", lambda seed: KNeighborsClassifier(n_neighbors=NEIGHBOURS), None
    )
