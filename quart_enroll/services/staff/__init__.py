"""What staff do: the logs of their changes and of the records they open, and exported lists."""
