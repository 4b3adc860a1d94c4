"""Cuts texts into the token numbers that the network was trained on: BERT's lower-case WordPiece.

Which texts are worth cutting is `embedder`'s business.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import BertProcessing

from routeiq_embed_minilm.config import NAME
from routeiq_embed_minilm.model_file import read
from routeiq_sdk import PluginError

VOCABULARY_SHA256 = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
_FILE = Path(__file__).with_name("vocab.txt")


class Words:
    """Texts to token numbers, at most `max_tokens` a text, the two marks at its ends among them.

    BERT's rules (arXiv 1810.04805): control characters dropped, accents stripped, lower case, one token a CJK
    character, and one `[UNK]` for a word of more than 100 characters or with a character the vocabulary has not.
    Raises `PluginError` when the vocabulary is missing or damaged.
    """

    def __init__(self, max_tokens: int) -> None:
        content = read(_FILE)
        if hashlib.sha256(content).hexdigest() != VOCABULARY_SHA256:
            raise PluginError(NAME, f"{_FILE} is damaged.", mend="install routeiq-embed-minilm again")
        numbers = {word: number for number, word in enumerate(content.decode().split())}
        self.size = len(numbers)
        """Token numbers are below this."""
        # S106 takes a token for a password.
        self._tokenizer = Tokenizer(WordPiece(numbers, unk_token="[UNK]", max_input_chars_per_word=100))  # noqa: S106
        self._tokenizer.normalizer = BertNormalizer(
            clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True
        )
        self._tokenizer.pre_tokenizer = BertPreTokenizer()
        self._tokenizer.post_processor = BertProcessing(("[SEP]", numbers["[SEP]"]), ("[CLS]", numbers["[CLS]"]))
        self._tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
        self._tokenizer.enable_truncation(max_tokens)

    def numbers(self, texts: Sequence[str]) -> list[list[int]]:
        """Token numbers of each text. The texts must be valid Unicode, without lone surrogates."""
        # A batch, also of one text, is cut without the interpreter lock; `encode` would hold up the event loop.
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]
