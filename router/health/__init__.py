"""How the router is, for machines: what monitoring may ask over HTTP, where campaigns.yaml has `health`.

monitor      gathers the signs of life, and is what the service knows
server       the listener: three pages, for clients that nobody trusts
tally        what is counted at the end of each call
signs        the state of things at one moment, and whether that is ready
exposition   the same as Prometheus reads it

Nothing here is on a call's way but `Tally.ended`, once a call.
"""
