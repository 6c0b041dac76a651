"""What those who work for the school can do: manage people, export lists, and read the logs of what all of them did.

What students do with their own seats belongs in services/enrollment.
"""
