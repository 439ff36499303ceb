"""Chunks, fingerprints, the diff, guardrails and the plan file. Nothing here sends."""
