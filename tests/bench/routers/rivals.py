"""The rivals of a table, in the order in which they are shown.
A new rival is a new file and a line here."""

from __future__ import annotations

from bench.routers import label_knn, llmrouter
from bench.routers.cluster_table import ClusterTable
from bench.routers.knn_scores import KnnScores
from bench.routers.pair_factors import PairFactors
from bench.routers.pair_similarity import PairSimilarity
from bench.routers.recipe import Recipe
from bench.routers.tables import Table


def rivals(table: Table) -> list[Recipe]:
    pair: list[Recipe] = [PairFactors(), PairSimilarity()] if len(table.models) == 2 else []
    return [KnnScores(), ClusterTable(), *pair, label_knn.recipe(), *llmrouter.recipes(table.candidate_order)]
