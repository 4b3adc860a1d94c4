"""The pattern recognisers of an installed Presidio, on a blank pipeline: no language model, and no network.

Nothing here decides what becomes of a finding.
"""

from __future__ import annotations

from typing import Any

from routeiq_guard_pii.found import Found

_LANGUAGE = "en"


class Presidio:
    """Looks line by line, each for itself: Presidio reads the words around a finding, and a line is all it gets."""

    def __init__(self) -> None:
        self._engine = _engine()
        self.known: frozenset[str] = frozenset(self._engine.get_supported_entities(_LANGUAGE))
        self._entities: list[str] = sorted(self.known)

    def asked(self, entities: frozenset[str]) -> Presidio:
        """The same recognisers, asked for these entities alone."""
        one = object.__new__(Presidio)
        one._engine, one.known, one._entities = self._engine, self.known, sorted(entities)
        return one

    def find(self, text: str) -> list[Found]:
        """What stands in the lines of the text."""
        found: list[Found] = []
        start = 0
        for line in text.split("\n"):
            if line.strip():
                for each in self._engine.analyze(line, language=_LANGUAGE, entities=self._entities):
                    found.append(Found(start + each.start, start + each.end, each.entity_type, each.score))
            start += len(line) + 1
        return found

    def settled(self, text: str) -> int:
        """Its whole lines."""
        return text.rfind("\n") + 1


def _engine() -> Any:
    import spacy
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import SpacyNlpEngine
    from presidio_analyzer.predefined_recognizers import EmailRecognizer
    from presidio_analyzer.recognizer_registry import RecognizerRegistry
    from tldextract import TLDExtract

    suffixes = TLDExtract(suffix_list_urls=(), cache_dir=None)  # the list it brings along, never a newer one fetched

    class Email(EmailRecognizer):  # type: ignore[misc, unused-ignore]
        def validate_result(self, pattern_text: str) -> bool:
            return bool(suffixes(pattern_text).fqdn)

    class Blank(SpacyNlpEngine):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__(models=[{"lang_code": _LANGUAGE, "model_name": "blank"}])
            self.nlp = {_LANGUAGE: spacy.blank(_LANGUAGE)}

        def load(self) -> None:
            """It is loaded."""

    registry = RecognizerRegistry(supported_languages=[_LANGUAGE])
    registry.load_predefined_recognizers(languages=[_LANGUAGE])
    registry.remove_recognizer("EmailRecognizer")
    registry.remove_recognizer("SpacyRecognizer")
    registry.add_recognizer(Email())
    return AnalyzerEngine(registry=registry, nlp_engine=Blank(), supported_languages=[_LANGUAGE])
