"""Simple English Wikipedia: MediaWiki's dump or `{title, text}` records become a question and its answer, the lead.

dump (pages of the XML file) → text (wikitext to a lead) → nodes, templates, values, dates, formulas (what stands in
it), gaps (sentences that lost a template) → pairs
"""
