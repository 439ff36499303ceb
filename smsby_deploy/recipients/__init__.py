"""Who gets a mailing: recipients as a stream, phone numbers, duplicates, opt-outs."""
