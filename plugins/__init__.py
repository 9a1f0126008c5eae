"""The plugins that come with the router: one per file, through public hooks only."""
