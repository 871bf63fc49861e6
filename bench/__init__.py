"""The benchmark: the router beside plain `Dial()` and three other ways to route a call, on one private Asterisk.

figures     calls joined from both phones' logs, percentiles, medians of ratios, the aims: pure
climb       the search for the calls a second that are held: pure
table       the results as Markdown and as a table for the terminal: pure
picture     the results as an SVG
site        the Asterisk, the phones and the folder that all contenders share
contenders  what is compared, and how each is started
load        one turn of one contender: calls placed, times and CPU read
run         rounds of turns, then the climbs
machine     what the figures were taken on
peers       the programs that are compared with the router
"""
