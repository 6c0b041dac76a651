"""pages.enrollment"""
