"""Where files come from and go to: URLs in, results out."""
