"""An AGI script that names the dial string: Asterisk starts one Python process a call.

Usage, in the dialplan: AGI(PYTHON,forked_agi.py,DID=DIAL_STRING...)
"""

import sys

from asterisk.agi import AGI

ROUTES = dict(argument.split("=", 1) for argument in sys.argv[1:])

agi = AGI()
agi.set_variable("TARGET", ROUTES.get(agi.env["agi_extension"], ""))
