"""Evidence: where files are kept, and what they are bound to."""
