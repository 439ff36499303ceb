"""What would be sent: chunks, fingerprints, the diff, guardrails, the plan file.

Sends nothing.
"""
