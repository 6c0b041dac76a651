"""Metrics and logging, for operators.

Nothing here knows what is measured: the layers above pass in values, or functions that read them.
"""
