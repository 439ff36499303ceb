"""The client of the sms.by API: transport, methods, answers, and what the answer of a send means."""
