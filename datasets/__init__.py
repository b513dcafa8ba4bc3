"""Corpora: reading, making and sharing bags of words."""
