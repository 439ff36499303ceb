"""A local sms.by for tests, which sends nothing.

It stores, prices, schedules and "delivers" what it accepts.
"""
