"""What sms.by says became of each mailing that the lock records."""
