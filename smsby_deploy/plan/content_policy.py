"""Required and forbidden words: how many of a mailing's texts violate each rule."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from smsby_deploy.config.declarations import Guardrails


@dataclass(slots=True)
class ContentPolicy:
    """Counts texts, one for each recipient, that violate a rule; `violations` is keyed by guardrail and pattern."""

    guardrails: Guardrails
    violations: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def has_rules(self) -> bool:
        return bool(self.guardrails.required_words or self.guardrails.forbidden_words)

    def check(self, text: str, recipients: int = 1) -> None:
        """Check a text that `recipients` get."""
        for pattern in self.guardrails.required_words:
            if not re.search(pattern, text, re.IGNORECASE):
                self.violations["required_words", pattern] += recipients
        for pattern in self.guardrails.forbidden_words:
            if re.search(pattern, text, re.IGNORECASE):
                self.violations["forbidden_words", pattern] += recipients
