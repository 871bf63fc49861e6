"""Callrouter: which campaign made the phone ring, who took the call, and whom to call back."""

__version__ = "0.3.0"
