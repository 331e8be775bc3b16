"""Orchestration only: order, decisions and time. Records are written by activities."""
