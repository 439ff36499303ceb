"""SMS campaigns as code for sms.by: validate, plan, apply, status."""

__version__ = "0.1.0"
