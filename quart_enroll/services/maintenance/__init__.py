"""services.maintenance"""
