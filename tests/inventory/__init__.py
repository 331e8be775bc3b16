"""Holds: claims, the ledger adapter, late stock and the quarantine activities."""
