"""Notices on pages, and emails: their texts, the outbox that sends them, and the connection to the mail server.

Not what causes a notice: the change itself writes it, in its own transaction.
"""
