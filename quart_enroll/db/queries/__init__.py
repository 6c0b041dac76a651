"""db.queries"""
