"""Quart Enroll: course enrollment for a school, fast and correct even in the minute when registration opens.

Each package is a layer or a part of one; pyproject.toml lists which may import which. Only what connects the layers
(app, routes, state) or serves all of them (bounded_cache) belongs here.
"""
