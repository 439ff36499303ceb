"""Single SMS as terminal text: samples, test messages and receipts."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from io import StringIO

from smsby_deploy.apply.one_off import OneOffMessage
from smsby_deploy.output.json_documents import samples_document
from smsby_deploy.output.sms_text import outgoing_lines, receipt_line, write_samples
from smsby_deploy.smsby.parsers import SmsReceipt
from smsby_deploy.texts.parts import measure_gsm, measure_text, split_parts
from smsby_deploy.texts.samples import MailingSamples, Sample


def _samples(text: str, phone: str = "37529*****01") -> MailingSamples:
    size = measure_text(text)
    sample = Sample(
        2, "lists/vip.csv", 3, phone, text, size, measure_gsm(text).parts,
        tuple(split_parts(text, size)), Decimal("0.026") * size.parts, False, ("first",),
    )  # fmt: skip
    return MailingSamples("sale/vip", 7, "BYN", (sample,))


def _written(text: str) -> str:
    stream = StringIO()
    write_samples([_samples(text)], stream, color=False)
    return stream.getvalue()


def test_write_samples_numbers_the_parts() -> None:
    """A sample shows its recipient, its numbered parts, and its size against their capacity."""
    assert _written("я" * 80) == (
        "sale/vip: 7 recipients\n\n"
        "row 2 (lists/vip.csv:3), 37529*****01, first\n"
        f"   1| {'я' * 67}\n   2| {'я' * 13}\n"
        "      2 parts, UCS-2, 80 of 134, 0.052 BYN\n"
    )


def test_write_samples_counts_the_recipients_of_combinations() -> None:
    """The recipients of a combination come before its conditions, and the last line counts those not shown."""
    (sample,) = _samples("Hi").samples
    found = replace(_samples("Hi"), samples=(replace(sample, recipients=1200, why=("if vip",)),), further=1)
    stream = StringIO()
    write_samples([found], stream, color=False)
    assert ", for 1,200 recipients, if vip\n" in stream.getvalue()
    assert stream.getvalue().endswith("\n\nand 1 further combination of conditions\n")
    document = samples_document([found])["mailings"][0]
    assert (document["further_variants"], document["texts"][0]["recipients"]) == (1, 1200)


def test_write_samples_shows_a_different_gsm_count() -> None:
    """The count by GSM 03.38 is shown if it differs from what sms.by bills."""
    assert "4 parts, GSM-7, 620 of 628, 0.104 BYN; GSM 03.38 counts 5\n" in _written("a" * 620)


def test_write_samples_drops_control_characters() -> None:
    """A second line is indented under its part, and an escape sequence is not printed."""
    written = _written("one\ntwo\x1b[2J")
    assert "   1| one\n    | two [2J\n" in written


def test_samples_document_has_sizes_and_costs() -> None:
    """Counts are numbers, and costs are strings."""
    text = samples_document([_samples("Hi")])["mailings"][0]["texts"][0]
    assert (text["parts"], text["cost"], text["pieces"], text["gsm_parts"]) == (1, "0.026", ["Hi"], 1)


def test_receipt_line_has_what_sms_by_reports() -> None:
    """A receipt always has the id, and parts and cost if they are known."""
    receipt = SmsReceipt(7, 1, Decimal("0.026"))
    assert receipt_line(receipt, "37529*****67", currency="BYN") == (
        "sent to 37529*****67: sms_id 7, 1 part, 0.026 BYN"
    )
    bare = SmsReceipt(7, None, None)
    assert receipt_line(bare, "37529*****67") == "sent to 37529*****67: sms_id 7"


def test_outgoing_lines_mask_the_text() -> None:
    """The lines say whose text is sent where, from which sender and at what cost, without a whole phone number."""
    sample = _samples("Call +375 (29) 123-45-01", "375291234501").samples[0]
    message = OneOffMessage("sale/vip", "375291234567", sample, None, None, "MyShop", 1363)
    lines = list(outgoing_lines(message, "37529*****67"))
    assert lines[0] == ("sale/vip, the text of row 2 (lists/vip.csv:3), to 37529*****67, from MyShop:")
    assert "123-45" not in lines[1]
    assert lines[2] == "1 part, cost unknown: smsby.yaml has no price"
