"""Pages for staff, all below /staff. Their lists share one mechanism, in `listing`."""
