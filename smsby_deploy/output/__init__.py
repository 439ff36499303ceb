"""Plans, results and statuses as text, JSON and Markdown. Nothing here decides anything."""
