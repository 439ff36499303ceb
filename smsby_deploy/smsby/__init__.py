"""The client of the sms.by API: transport, methods, answers, and the outcome of a send."""
