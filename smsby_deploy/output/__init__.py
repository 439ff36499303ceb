"""Results as text, Markdown, HTML, JSON and the formats of CI services.

Nothing is computed here.
"""
