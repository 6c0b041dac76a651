"""What those who work for the school can do: manage people.

What students do with their own seats belongs in services/enrollment.
"""
