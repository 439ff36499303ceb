"""Contact pressure: what the phones of a million earlier messages cost, as sms.by reports them."""

from __future__ import annotations

from tests.bench.measure import Cost, Figure, compare, python, run_process

_ANSWERS = """
import json, sys
rows, size = int(sys.argv[1]), 1000

def answer(number):
    phones = range(375290000000 + number * size, 375290000000 + (number + 1) * size)
    at = "2024-10-16 22:52:42.497994"
    some = [{"delivery_id": p, "phone": str(p), "status": "DELIVERED", "status_time": at} for p in phones]
    return json.dumps([{"message_id": number, "name": f"sale/big [{number}] shop#{number:010x}", "success": some}])
"""
_FLOOR = f"""{_ANSWERS}
for number in range(rows // size):
    json.loads(answer(number))
"""
# What a plan does before it judges its recipients, without HTTP.
_LEDGER = f"""{_ANSWERS}
from datetime import datetime, timedelta, UTC
from pathlib import Path
from tempfile import mkdtemp
from smsby_deploy.lock.records import AppliedBy, ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.plan.contact_ledger import ContactLedger
from smsby_deploy.smsby.deliveries import read_bulk_status
now = datetime(2024, 10, 17, tzinfo=UTC)

class Client:
    def derive_secret(self, purpose): return b"s" * 32
    def status_bulk_sms(self, uuid): return tuple(read_bulk_status(json.loads(answer(int(uuid)))))
    def get_sms_messages(self, keep): return ()

chunks = tuple(
    ChunkRecord(f"{{n:010x}}", size, "d", ChunkState.ACCEPTED, str(n), n, now.isoformat()) for n in range(rows // size)
)
run = AppliedBy(now.isoformat(), "p", None, "bench")
entry = Entry(1, "c", "a", "bulk", "0", 0, None, rows, rows, None, chunks, run)
ledger = ContactLedger(Client(), "shop", {{}}, Path(mkdtemp()) / "smsby.lock.json")
[contact] = ledger.read(Lock("shop", mailings={{"sale/big": entry}}), now - timedelta(days=7), now)
assert len(contact.hashes) == rows and not contact.unknown
"""


def measure(runs: int, rows: int) -> list[Figure]:
    """Compare with parsing the same answers; the memory is that of the whole process."""
    peaks: list[float] = []

    def subject() -> Cost:
        cost = run_process(python(_LEDGER, str(rows)))
        peaks.append(cost.peak)
        return cost

    figure = compare(
        f"pressure: {rows:,} recorded recipients, by statusBulkSms",
        subject,
        lambda: run_process(python(_FLOOR, str(rows))),
        floor_is="json.loads of the same answers",
        runs=min(runs, 3),
        at_most=4,
        aim=2.5,
    )
    figure.extra["MB"] = max(peaks)
    memory = Figure("its peak memory", max(peaks), "MB", at_most=60, aim=50)
    return [figure, memory]
