"""The way to Asterisk: ARI over one websocket, and plain HTTP where that is not offered.

wire       JSON to typed events and answers; fields: its single fields, bounded
rest       one REST request, and Asterisk's refusals as typed errors
requests   all that are under way: sent, answered, expired, lost
lanes      requests over HTTP: lanes in order, side by side through a small pool
websocket  frames out and in, and whether the other side is alive; opening: how it begins
link       the connection: retries (pace), heartbeat, events in order
client     the verbs: answer, ring, create, dial, bridge …
"""
