"""services.live"""
