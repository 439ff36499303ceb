"""Learns the facts about an account, and what each means for a project.

Nothing in this folder can send.
"""
