"""A project's files: YAML with positions, JSON Schema, the typed declarations."""
