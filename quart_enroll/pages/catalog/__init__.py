"""pages.catalog"""
