"""What follows the database while the site runs: the cache of users, and updates for open pages.

The cache of the catalog is in services/catalog/; sending updates to browsers belongs in pages/.
"""
