"""What restored pictures are worth: metrics, scoring of any restorer, comparison, and the audit of synthetic blur."""
