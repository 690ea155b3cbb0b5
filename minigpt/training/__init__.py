"""Training (chapter 9)."""
