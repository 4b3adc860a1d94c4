"""Runs the network on token numbers and pools what comes out into unit vectors.

Texts, batches and caching belong to `embedder`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnxruntime

from routeiq_embed_minilm.config import DIMENSIONS, NAME
from routeiq_sdk import PluginError

_NEEDED = frozenset({"input_ids", "attention_mask"})
_KNOWN = _NEEDED | {"token_type_ids"}
_OUTPUT = "last_hidden_state"
_MEND = "export a BERT encoder with 384 dimensions (all-MiniLM-L6-v2 is one) to ONNX"

Vectors = npt.NDArray[np.float32]
"""Shape (texts, 384)."""


class Network:
    """An ONNX session on the CPU. May be run from several threads at once; each run's work is done in its own thread.

    `probe` is a row of token numbers as long and as high as any to come: the network must make a finite vector of it.
    Raises `PluginError` for bytes that are no such network.
    """

    def __init__(self, model: bytes, *, threads: int, probe: Sequence[int]) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Both would keep hundreds of MB after one batch of long texts. Measured, they save no time here.
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 4  # failures are raised; the log would tell them twice
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own classes have no common base
            raise PluginError(NAME, f"onnxruntime cannot load the model: {error}.", mend=_MEND) from error
        self._inputs = {given.name for given in self._session.get_inputs()}
        if not _NEEDED <= self._inputs <= _KNOWN:
            asked = ", ".join(sorted(self._inputs))
            raise PluginError(NAME, f"the model asks for {asked}: these are not BERT's inputs.", mend=_MEND)
        outputs = [given.name for given in self._session.get_outputs()]
        self._output = _OUTPUT if _OUTPUT in outputs else outputs[0]
        self._check(probe)

    def vectors(self, rows: Sequence[Sequence[int]]) -> Vectors:
        """One vector of length 1 for each row of token numbers: the mean over its tokens.

        Rows are padded to the longest. Padding is masked, in attention and in the mean, and moves no vector.
        """
        ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
        mask = np.zeros(ids.shape, dtype=np.float32)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
            mask[place, : len(row)] = 1
        given = {"input_ids": ids, "attention_mask": mask.astype(np.int64), "token_type_ids": np.zeros_like(ids)}
        (hidden,) = self._session.run([self._output], {name: given[name] for name in self._inputs})
        sums: Vectors = (hidden * mask[:, :, np.newaxis]).sum(axis=1, dtype=np.float32)
        means = sums / mask.sum(axis=1, keepdims=True, dtype=np.float32)
        lengths = np.linalg.norm(means, axis=1, keepdims=True)
        unit: Vectors = means / np.maximum(lengths, np.float32(1e-12))
        return unit

    def _check(self, probe: Sequence[int]) -> None:
        try:
            vectors = self.vectors([probe])
        except Exception as error:  # as above
            raise PluginError(
                NAME,
                f"the model fails on {len(probe)} tokens up to number {max(probe)}: {error}.",
                mend=f"{_MEND}, with this vocabulary, or lower max_tokens",
            ) from error
        if vectors.shape != (1, DIMENSIONS) or not np.isfinite(vectors).all():
            raise PluginError(
                NAME,
                f"the model makes {vectors.shape[-1]} numbers of a text, or some that are not finite; "
                f"{DIMENSIONS} finite ones are wanted.",
                mend=_MEND,
            )
