"""What sms.by reports about the mailings in the lock."""
