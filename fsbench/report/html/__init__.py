"""The report as one HTML file: everything that records say, for a browser without a network.

`page` puts the parts together. The numbers come from the leaderboards and from `fsbench.report.charts`;
the modules here only arrange them. Whatever stands in records is text to the templates and to the scripts.
"""
