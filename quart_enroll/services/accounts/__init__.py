"""Accounts and everything that acts for one: passwords, sign-ins, tokens, links in emails, rate limits.

What an account may do with seats belongs in services/enrollment.
"""
