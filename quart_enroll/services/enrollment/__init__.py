"""Use cases of enrollment: enroll, drop, swap, waitlists, alerts and the plan, with the locks and batches behind them.

What students see of it belongs in `pages` and `api`, the rules themselves in `domain.rules`.
"""
