"""services.enrollment"""
