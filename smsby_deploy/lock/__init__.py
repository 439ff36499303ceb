"""The record of what sms.by accepted: the lock file, its journal, and who holds the lock."""
