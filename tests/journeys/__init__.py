"""Journeys: people at work in a real browser, over real processes on this machine.

Every block of what customers do is walked at both doors, at the kiosk's portrait screen and on a phone, in French and in another
language. A dash says that a door does not have it.

| block | kiosk, French | kiosk, other | shop, French | shop, other |
|---|---|---|---|---|
| finding: facets, prices, sorts, table, tag, EAN | customers | customers | customers | customers |
| finder: sentence, criteria, loosening, questions | customers | customers | customers | customers |
| comparing: four, verdict, grades, two years | customers | customers | customers | customers |
| understanding: why, past prices, grades, how it works | customers | customers | customers | customers |
| bundle, and the slip or order it ends in | customers, main_job | customers | customers | customers |
| partners: a carrier's corner, a console brand's and its entry | main_job, markets | customers | elsewhere | customers |
| markets: the United States; Germany and Spain in their languages | – | elsewhere; markets | – | elsewhere; markets |
| being in public: wishes, voice, keys, idle, wipe | attention, visits, hearing, keyboard | in_public | – | – |
| at home without a network | – | – | at_home | at_home |

A name is that of a module here, without its `test_`. Every page, theme and panel: screens, panels. Clerks and HQ have their own.
"""
