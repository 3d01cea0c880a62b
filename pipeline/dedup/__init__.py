"""Which clips show the same: exact, perceptual and semantic duplicates, and what stays of each group."""
