"""pages.account"""
