"""The journal: what is written, and how it is read back."""

from __future__ import annotations

from pathlib import Path

from smsby_deploy.lock.journal import Journal, read_journal

PHONE = "375291234567"


def test_journal_append_masks_phones_in_prose(tmp_path: Path) -> None:
    """What users and sms.by wrote is masked on disk and in the returned event; ids that look like numbers are not."""
    journal = Journal(tmp_path / "journal")
    written = [
        journal.append("begin", id="1234567890", by=f"user {PHONE}"),
        journal.append("result", chunks=[["a/b", 0]], changes={"error": f"{PHONE} refused", "uuid": PHONE}),
        journal.append("mailing", entry={"chunks": [{"error": PHONE, "fingerprint": "1234567890"}]}),
        journal.append("resolve", resolution={"reason": f"call +{PHONE}", "at": "2026-12-01"}),
    ]
    journal.close()
    assert read_journal(tmp_path / "journal") == written
    assert written[0] == {"event": "begin", "id": "1234567890", "by": "user 37529*****67"}
    assert written[1]["changes"] == {"error": "37529*****67 refused", "uuid": PHONE}
    assert written[2]["entry"]["chunks"] == [{"error": "37529*****67", "fingerprint": "1234567890"}]
    assert written[3]["resolution"] == {"reason": "call +37529*****67", "at": "2026-12-01"}
