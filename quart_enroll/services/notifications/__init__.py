"""Emails: their texts, the outbox that sends them, and the connection to the mail server.

Notices on pages come from the same rows but are read in services/enrollment and web.
"""
