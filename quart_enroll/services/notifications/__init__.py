"""Notices on pages, and emails: their texts, the outbox that sends them, and the connection to the mail server.

What causes a notice does not belong here: the change itself writes it, in its own transaction.
"""
