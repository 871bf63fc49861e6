"""A private Asterisk and SIP phones on loopback: `make demo`, `make run`, the tests and the benchmark use this one.

fetch        downloads and unpacks Asterisk and SIPp into the user's cache, without root
installation where the two programs are: unpacked, or already on the machine
asterisk     one running Asterisk with its own folder and ports
phones       SIPp as the caller, and as the trunk with every mobile behind it
stack        Asterisk, phones and the router together
serve        `make run`; place_call is `make call`; demo is `make demo`
"""
