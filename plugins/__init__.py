"""The plugins that come with the router: one per file, its name the file's, through public hooks only."""
