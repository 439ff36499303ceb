"""A local sms.by for tests: it stores, prices, schedules and "delivers" what it accepts, and sends nothing."""
