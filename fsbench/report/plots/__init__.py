"""Pictures of the charts by matplotlib, which is imported when the first one is drawn."""
