"""Required and forbidden words: how many of a mailing's texts break each of them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from smsby_deploy.config.declarations import Guardrails


@dataclass(slots=True)
class ContentPolicy:
    """Texts that break a rule, by key and pattern. Counted is a text for each recipient: a bulk text counts once a person."""

    rails: Guardrails
    texts: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def is_on(self) -> bool:
        return bool(self.rails.required_words or self.rails.forbidden_words)

    def look_at(self, text: str, people: int = 1) -> None:
        """Count `text`, which `people` get."""
        for pattern in self.rails.required_words:
            if not re.search(pattern, text, re.IGNORECASE):
                self.texts["required_words", pattern] += people
        for pattern in self.rails.forbidden_words:
            if re.search(pattern, text, re.IGNORECASE):
                self.texts["forbidden_words", pattern] += people
