"""Answers as they were, from their records: what the reports and pictures of a run need, read back."""
