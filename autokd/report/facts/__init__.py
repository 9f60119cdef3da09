"""What pages and figures show, as plain numbers; everything is computed here."""
