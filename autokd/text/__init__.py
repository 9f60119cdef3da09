"""Text for people: values quoted, words of others made harmless, failures in one line."""
