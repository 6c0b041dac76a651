"""Queries that span several collections, and the aggregation pipelines.

Queries on a single collection belong in db/collections/.
"""
