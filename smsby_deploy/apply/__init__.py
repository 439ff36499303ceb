"""The only place that sends: intent, request, result, and the search for a lost answer."""
