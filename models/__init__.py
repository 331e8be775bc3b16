"""Contracts between the rooms: Temporal messages, SQLModel tables, HTTP schemas."""
