"""Footage in, curated clips out."""
