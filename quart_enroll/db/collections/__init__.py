"""db.collections"""
