"""A local sms.by that reaches nobody: what it accepts it keeps, prices, schedules and "delivers"."""
