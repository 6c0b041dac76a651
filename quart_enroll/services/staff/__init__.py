"""What staff can do: manage people, terms, courses and sections; and the logs of these changes.

What students do with their own seats belongs in services/enrollment.
"""
