"""Texts of mailings: templates, encoding and parts, prices, and samples."""
