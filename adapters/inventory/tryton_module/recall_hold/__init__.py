# SPDX-License-Identifier: GPL-3.0-or-later
"""Tryton module: what a recall holds lies in quarantine, its lots say so, and its documents stand still."""
