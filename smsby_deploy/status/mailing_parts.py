"""The parts of a mailing in a status report: its variants and its waves."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from smsby_deploy.lock.decisions import WaveVerdict
from smsby_deploy.status.missed import Missed
from smsby_deploy.wording import sentence


@dataclass(frozen=True, slots=True)
class VariantStatus:
    """The recipients of one variant by kind, as those of the mailing; `missed` as in `Details`."""

    name: str
    recipients: int
    delivered: int
    undelivered: int
    sent: int
    pending: int
    other: int
    missed: Collection[Missed] = ()

    @property
    def line(self) -> str:
        """`variant a: 1,050 of 1,080 recipients delivered (97.2%)`."""
        if not self.recipients:
            return sentence("variant {name}: no recipients", name=self.name)
        return sentence(
            "variant {name}: {delivered:,} of {recipients:recipient|recipients} delivered ({share:.1f}%)",
            name=self.name,
            delivered=self.delivered,
            recipients=self.recipients,
            share=self.delivered * 1000 // self.recipients / 10,
        )


@dataclass(frozen=True, slots=True)
class WaveStatus:
    """The recipients of one wave, and the verdict about it, None if there is none."""

    number: int
    recipients: int
    delivered: int
    undelivered: int
    was_sent: bool
    verdict: WaveVerdict | None = None

    @property
    def line(self) -> str:
        """`wave 1: 185 of 200 recipients delivered (92.5%), verdict go`."""
        if not self.was_sent:
            return sentence(
                "wave {number}: {count:recipient|recipients}, not sent",
                number=self.number,
                count=self.recipients,
            )
        said = sentence(
            "wave {number}: {delivered:,} of {recipients:recipient|recipients} delivered ({share:.1f}%)",
            number=self.number,
            delivered=self.delivered,
            recipients=self.recipients,
            share=self.delivered * 1000 // self.recipients / 10 if self.recipients else 0.0,
        )
        if self.verdict is None:
            return said
        kind, signature = self.verdict.kind, self.verdict.signature
        if not signature:
            return sentence("{wave}, verdict {kind}", wave=said, kind=kind)
        return sentence("{wave}, verdict {kind} {signature}", wave=said, kind=kind, signature=signature)
