"""services.catalog"""
