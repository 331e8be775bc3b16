"""The embedded stack: real servers installed by pip, started, watched and stopped as our own children."""
