"""The HTML pages: made on the server, without scripts, with nothing from elsewhere."""
