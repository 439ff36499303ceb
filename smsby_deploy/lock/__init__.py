"""What sms.by accepted: the lock file, its journal, and who holds it."""
